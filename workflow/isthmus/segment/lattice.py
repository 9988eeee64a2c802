"""Bins of pixels and back: a method may work on a coarser lattice that starts at the image's origin.

Arrays are (z, y, x). `bin_means` goes from pixels to bins, `to_pixels` from the landscape of the bins to that of the
pixels. Whole numbers only. A bin at the end of the image may be cut; what is missing is left out of its mean, in a
block as in the whole image. Support of `to_pixels`: one bin to each side along an axis with more than one pixel a bin.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.grid import Triple
from isthmus.segment.lattice_kernels import SUMMIT, fill_pixels, find_means, find_ways_up

MOST_PX = 16
"""Most pixels along an axis of a bin: 65535 * (2 * MOST_PX)**3 fits 32 bits."""

_SIZES = tuple(1 << n for n in range(MOST_PX.bit_length()))

LANDSCAPE_TOP = (1 << 24) - 1
"""Largest value of a landscape of bins; a pixel's has 8 bits more, for its place in the bin."""


def bin_means(pixels: NDArray[np.uint16], lattice_px: Triple) -> NDArray[np.uint16]:
    """Mean of each bin of uint16 (z, y, x), rounded to nearest; the array begins at a bin's first pixel."""
    if lattice_px == (1, 1, 1):
        return pixels
    _check(lattice_px)
    bins = tuple(-(-size // n) for size, n in zip(pixels.shape, lattice_px, strict=True))
    means = np.empty(bins, np.uint16)
    find_means(np.ascontiguousarray(pixels), lattice_px, means)
    return means


def to_pixels(
    field: NDArray[np.uint16], values: NDArray[np.uint32], lattice_px: Triple, shape: Triple
) -> NDArray[np.uint32]:
    """The landscape of pixels whose basins are those of a landscape of bins, with a smooth outline.

    Parameters
    ----------
    field
        How much a bin is inside: 0 to 65535, above 32767 where `values` is not 0. A pixel is inside where this field,
        interpolated linearly between the centres of bins, is above 32767.
    values
        Landscape of the bins, at most LANDSCAPE_TOP.
    lattice_px, shape
        Pixels of a bin; shape of the result. The arrays begin at a bin's first pixel.

    A pixel takes the value of its bin; within a bin pixels rise towards the bin's highest neighbour, in a summit
    towards its middle, so climbing pixels takes the way that climbing bins would. Pixels inside whose bin is not rise
    with the field.
    """
    if lattice_px == (1, 1, 1):
        return values
    _check(lattice_px)
    ways = np.empty(values.shape, np.uint8)
    find_ways_up(values, ways)
    result = np.empty(shape, np.uint32)
    fill_pixels(field, values, ways, _places(lattice_px), lattice_px, result)
    return result


def _check(lattice_px: Triple) -> None:
    if any(n not in _SIZES for n in lattice_px):
        raise ValueError(f"bins of {lattice_px} pixels; must be powers of two, at most {MOST_PX}")


@lru_cache(maxsize=4)
def _places(lattice_px: Triple) -> NDArray[np.uint32]:
    """Rank of a pixel within its bin, 1 and up: (four pixels of the bin, way up), a byte each, the first lowest."""
    away = [[_away(step, n, is_summit=False) for step in (-1, 0, 1)] for n in lattice_px]
    middle = [_away(0, n, is_summit=True) for n in lattice_px]
    ranks = np.zeros((27, -(-int(np.prod(lattice_px)) // 4) * 4), np.uint32)
    for way, (z, y, x) in enumerate(product(range(3), repeat=3)):
        lines = middle if way == SUMMIT else (away[0][z], away[1][y], away[2][x])
        far = np.maximum(np.maximum(lines[0][:, None, None], lines[1][:, None]), lines[2])
        ranks[way, : far.size] = (1 + far.max() - far).reshape(-1)
    return np.ascontiguousarray(
        (ranks.reshape(27, -1, 4) << np.array([0, 8, 16, 24], np.uint32)).sum(axis=2, dtype=np.uint32).T
    )


def _away(step: int, length: int, *, is_summit: bool) -> NDArray[np.int64]:
    """How far the pixels of a bin, along one axis, are from where the way up leaves it."""
    place = np.arange(length)
    if is_summit:
        return np.abs(place - length // 2)
    return (np.zeros_like(place), length - 1 - place, place)[step]
