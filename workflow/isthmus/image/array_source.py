"""One way to read windows out of anything that slices like a NumPy array."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.errors import UserError
from isthmus.image.source import Window

SPATIAL_AXES = "zyx"


class ArraySource:
    """Pixels of an array (memory map or Zarr array) whose axes are named.

    Parameters
    ----------
    array
        Anything with NumPy's basic slicing.
    axes
        One lower-case letter a dimension, in the order of the array: t (length 1), c (channels), s (samples
        of a colour pixel), z, y, x. Channel `n` of the image is sample `n % len(s)` of channel `n // len(s)`.
    path
        The file or store, for messages.
    close
        Called when the source is no longer used.
    """

    def __init__(self, array: Any, axes: str, path: Path, close: Callable[[], object] | None = None) -> None:
        self._array = array
        self._path = path
        self._axes = axes
        self._samples = int(array.shape[axes.index("s")]) if "s" in axes else 1
        if close is not None:
            weakref.finalize(self, close)

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel in the dtype of the file, in native byte order."""
        where: dict[str, int | slice] = dict(zip(SPATIAL_AXES, window, strict=True))
        where |= {"t": 0, "c": channel // self._samples, "s": channel % self._samples}
        pixels = self._slice(tuple(where[axis] for axis in self._axes), channel, window)
        kept = [axis for axis in self._axes if axis in SPATIAL_AXES]
        pixels = pixels.transpose([kept.index(axis) for axis in SPATIAL_AXES if axis in kept])
        if "z" not in kept:
            pixels = pixels[np.newaxis][window[0]]
        return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))

    def _slice(self, index: tuple[int | slice, ...], channel: int, window: Window) -> npt.NDArray[np.generic]:
        # A damaged chunk is found only when it is decoded, and each codec has errors of its own.
        try:
            return np.asarray(self._array[index])
        except Exception as error:
            place = ", ".join(
                f"{axis} {part.start} to {part.stop}" for axis, part in zip("zyx", window, strict=True)
            )
            raise UserError(
                where=f"image '{self._path}'",
                found=f"channel {channel} cannot be decoded at {place} ({type(error).__name__}: {error})",
                do="copy it again from its source",
            ) from error


def canonical_shape(shape: tuple[int, ...], axes: str) -> tuple[int, int, int, int]:
    """The (c, z, y, x) shape of an array whose axes are named; absent axes have length 1."""
    sizes = dict(zip(axes, shape, strict=True))
    channels = sizes.get("c", 1) * sizes.get("s", 1)
    return (channels, sizes.get("z", 1), sizes["y"], sizes["x"])
