"""An image seen through its panel: channels by their markers, and sums of channels beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from isthmus.config.panel import Panel, PanelRow, sum_name
from isthmus.errors import UserError, UserErrors, did_you_mean, raise_all
from isthmus.image.source import ImagePart, PixelSource, Window

MOST = np.iinfo(np.uint16).max


class SummingSource:
    """Pixels of an image with sums of channels after its own channels.

    Parameters
    ----------
    source
        The image.
    n_channels
        Channels that it has.
    sums
        Indices of the channels of each sum. A sum above 65535 is 65535.
    """

    def __init__(self, source: PixelSource, n_channels: int, sums: Sequence[Sequence[int]]) -> None:
        self._source = source
        self._n = n_channels
        self._sums = sums

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel or of one sum."""
        if channel < self._n:
            return self._source.read(channel, window)
        parts = [self._source.read(one, window).astype(np.uint32) for one in self._sums[channel - self._n]]
        total = np.minimum(np.sum(parts, axis=0, dtype=np.uint32), MOST)
        return np.asarray(total.astype(np.uint16))


def with_panel(image: ImagePart, panel: Panel, *, where: str) -> ImagePart:
    """The image with channels called by their markers, and with the panel's sums as further channels.

    Channels that the panel does not name keep their names.
    """
    names = _renamed(image.header.channels, panel, where)
    sums = tuple(tuple(names.index(marker) for marker in group) for group in panel.sums)
    if not sums:
        return replace(image, header=replace(image.header, channels=tuple(names)))
    n, *rest = image.header.shape
    header = replace(
        image.header,
        channels=(*names, *(str(sum_name(group)) for group in panel.sums)),
        shape=(n + len(sums), rest[0], rest[1], rest[2]),
        dtype="uint16",
    )
    return replace(image, header=header, open=partial(_open, image.open, n, sums))


def _open(
    open_image: Callable[[], PixelSource], n_channels: int, sums: tuple[tuple[int, ...], ...]
) -> PixelSource:
    return SummingSource(open_image(), n_channels, sums)


def _renamed(channels: tuple[str, ...], panel: Panel, where: str) -> list[str]:
    """Names of the image's channels, by marker where the panel has one; UserErrors for rows without a channel."""
    if not any(row.channel for row in panel.rows) and len(panel.rows) != len(channels):
        raise UserError(
            where=where,
            found=f"the panel has {len(panel.rows)} rows, the image {len(channels)} channels",
            do="give a row a channel, or add a column 'channel' with names or numbers from 1",
        )
    names = list(channels)
    faults: list[UserError] = []
    for number, row in enumerate(panel.rows):
        try:
            names[_place(row, number, channels, where)] = row.marker
        except UserErrors as errors:
            faults.extend(errors.errors)
        except UserError as error:
            faults.append(error)
    raise_all(faults)
    for name in names:
        if names.count(name) > 1:
            found = f"marker '{name}' of the panel is also the name of another channel of the image"
            raise UserError(where=where, found=found, do="choose another name for the marker")
    return names


def _place(row: PanelRow, number: int, channels: tuple[str, ...], where: str) -> int:
    if not row.channel:
        return number
    if row.channel in channels:
        return channels.index(row.channel)
    if row.channel.isdigit():
        if 1 <= int(row.channel) <= len(channels):
            return int(row.channel) - 1
        found = (
            f"the panel's channel {row.channel} ({row.marker}), but the image has {len(channels)} channels"
        )
        raise UserError(where=where, found=found, do="count channels from 1")
    found = f"the image has no channel '{row.channel}', which the panel calls {row.marker}"
    raise UserError(where=where, found=found, do=did_you_mean(row.channel, channels))
