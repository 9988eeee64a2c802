"""One field whose channels, and the planes of each, are files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from isthmus.image.source import PixelSource, Window
from isthmus.image.tiff import describe_tiff

Joined = Literal["max", "mean"]


@dataclass(frozen=True)
class FieldFiles:
    """Pixels of a field.

    files
        Of each channel: one file, or several planes, which are joined pixel by pixel.
    how
        By their maximum, or by their mean, rounded down.
    """

    files: tuple[tuple[Path, ...], ...]
    how: Joined = "max"

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel in the dtype of the files; memory holds two planes."""
        first, *others = self.files[channel]
        joined = _opened(first).read(0, window)
        if not others:
            return joined
        total = joined.astype(np.int64)
        for path in others:
            pixels = _opened(path).read(0, window)
            if self.how == "max":
                joined = np.maximum(joined, pixels)
            else:
                total += pixels.astype(np.int64)
        return joined if self.how == "max" else (total // len(self.files[channel])).astype(joined.dtype)


@lru_cache(maxsize=64)
def _opened(path: Path) -> PixelSource:
    """The pixels of a file; UserError if it is damaged."""
    return describe_tiff(path, level=0, where=f"file '{path}'").open()
