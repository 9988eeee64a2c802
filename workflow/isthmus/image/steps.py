"""Floating-point pixels as whole numbers, for everything after the import counts in whole numbers.

A pixel of value v is stored as the whole number nearest to v x steps, so it is at most half a step off. Nothing is cut
off: values that do not fit are an error that names a number of steps with which they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import floor, log10

import numpy as np
import numpy.typing as npt

from isthmus.errors import UserError
from isthmus.image.description import ImageDescription
from isthmus.image.source import PixelSource, Window

MOST = np.iinfo(np.uint16).max


class SteppedSource:
    """Pixels of a floating-point image in steps.

    Parameters
    ----------
    source
        The image.
    steps
        Steps a unit.
    where
        What errors call the image.
    """

    def __init__(self, source: PixelSource, steps: float, where: str) -> None:
        self._source = source
        self._steps = steps
        self._where = where

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel as uint16; UserError where one does not fit."""
        values = self._source.read(channel, window).astype(np.float64)
        if not values.size:
            return values.astype(np.uint16)
        if not np.isfinite(values).all():
            raise UserError(
                where=self._where, found=f"channel {channel} has pixels that are no number", do="replace them"
            )
        low, high = float(values.min()), float(values.max())
        if low < 0:
            raise UserError(
                where=self._where,
                found=f"channel {channel} has negative pixels, down to {low:g}",
                do="add an offset or set them to 0 before",
            )
        stepped = np.rint(values * self._steps)
        if stepped.max() > MOST:
            raise UserError(
                where=self._where,
                found=f"channel {channel} has values up to {high:g}, too large for 16 bit in steps of"
                f" 1/{self._steps:g}",
                do=f"set image.steps_per_unit to {fitting(high):g}",
            )
        return stepped.astype(np.uint16)


def fitting(high: float) -> float:
    """The largest power of ten, or twice or five times one, with which a value fits into 16 bit."""
    room = MOST / high
    power = 10.0 ** floor(log10(room))
    return next(power * factor for factor in (5.0, 2.0, 1.0) if power * factor <= room)


def in_steps(image: ImageDescription, steps: float | None, *, where: str) -> ImageDescription:
    """An image whose floating-point pixels are whole numbers of steps, where steps are given."""
    if steps is None or np.dtype(image.dtype).kind != "f":
        return image
    opened = partial(_open, image.open, steps, where)
    return replace(image, dtype="uint16", open=opened, steps_per_unit=steps)


def _open(open_image: Callable[[], PixelSource], steps: float, where: str) -> PixelSource:
    return SteppedSource(open_image(), steps, where)
