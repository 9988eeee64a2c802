"""One image made of tiles that lie at whole pixels; read window by window; of its tiles those read last are open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus.image.opened import Opened
from isthmus.image.source import PixelSource, Window


@dataclass(frozen=True)
class Tile:
    """A tile of a mosaic.

    row, column
        Where its first pixel lies in the mosaic.
    add
        Added to every pixel that is not 0, so that labels of tiles differ.
    """

    open: Callable[[], PixelSource]
    row: int
    column: int
    add: int = 0


class Mosaic:
    """Pixels of tiles of one shape; 0 where no tile is, and where tiles overlap those of the first.

    Parameters
    ----------
    tiles
        In the order of preference.
    shape
        Rows and columns of every tile.
    turned
        Whether rows, and whether columns, of each tile run against those of the mosaic.
    dtype
        Of the pixels.
    """

    def __init__(
        self, tiles: Sequence[Tile], shape: tuple[int, int], turned: tuple[bool, bool], dtype: str
    ) -> None:
        self._tiles, self._shape, self._turned = tiles, shape, turned
        self._dtype = np.dtype(dtype)
        self._opened: Opened[int] = Opened()

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (1, y, x) of one channel."""
        top, left = window[1].start, window[2].start
        made = np.zeros((window[1].stop - top, window[2].stop - left), dtype=self._dtype)
        for number in range(len(self._tiles) - 1, -1, -1):
            tile = self._tiles[number]
            rows = _shared(window[1], tile.row, self._shape[0])
            columns = _shared(window[2], tile.column, self._shape[1])
            if rows is None or columns is None:
                continue
            inside = (
                slice(0, 1),
                _within(rows, tile.row, self._shape[0], turned=self._turned[0]),
                _within(columns, tile.column, self._shape[1], turned=self._turned[1]),
            )
            pixels = self._opened.get(number, tile.open).read(channel, inside)[0]
            pixels = pixels[:: -1 if self._turned[0] else 1, :: -1 if self._turned[1] else 1]
            pixels = pixels.astype(self._dtype)
            if tile.add:
                pixels = np.where(pixels == 0, pixels, pixels + tile.add)
            made[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = pixels
        return made[np.newaxis]


def _shared(side: slice, first: int, length: int) -> slice | None:
    """What a side of a window shares with a tile, in pixels of the mosaic."""
    start, stop = max(side.start, first), min(side.stop, first + length)
    return slice(start, stop) if start < stop else None


def _within(side: slice, first: int, length: int, *, turned: bool) -> slice:
    """Pixels of the tile that a side of the mosaic shows."""
    start, stop = side.start - first, side.stop - first
    return slice(length - stop, length - start) if turned else slice(start, stop)
