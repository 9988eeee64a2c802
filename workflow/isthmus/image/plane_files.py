"""An image whose channels and planes are files of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from isthmus.image.opened import Opened
from isthmus.image.source import PixelSource, Window

Opens = tuple[tuple[Callable[[], PixelSource], ...], ...]


class PlaneFiles:
    """Pixels of files of one plane and one channel each; the files read last are open.

    Parameters
    ----------
    opens
        How to open the file of each channel (first index) and plane (second).
    """

    def __init__(self, opens: Opens) -> None:
        self._opens = opens
        self._opened: Opened[tuple[int, int]] = Opened()

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel in the dtype of the files."""
        planes = range(window[0].start, window[0].stop)
        flat = (slice(0, 1), *window[1:])
        return np.concatenate([self._source(channel, plane).read(0, flat) for plane in planes])

    def _source(self, channel: int, plane: int) -> PixelSource:
        return self._opened.get((channel, plane), self._opens[channel][plane])
