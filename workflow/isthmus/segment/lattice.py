"""Bins of pixels and back: a method may work on a coarser lattice that starts at the image's origin.

Arrays are (z, y, x). `bin_means` goes from pixels to bins, `to_pixels` from the landscape of the bins to that of the
pixels. Whole numbers only. A bin at the end of the image may be cut; what is missing is left out of its mean, in a
block as in the whole image. Support of `to_pixels`: one bin to each side along an axis with more than one pixel a bin.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.grid import Triple
from isthmus.blocks.kernel import kernel

MOST_PX = 16
"""Most pixels along an axis of a bin: 65535 * (2 * MOST_PX)**3 fits 32 bits."""

LANDSCAPE_TOP = (1 << 24) - 1
"""Largest value of a landscape of bins; a pixel's has 8 bits more, for its place in the bin."""

_HALF = 32767
_PLACES = 256
_SUMMIT = 13


@kernel
def _bin_means(pixels: Any, lattice: Any, means: Any) -> None:
    nz, ny, nx = pixels.shape
    bz, by, bx = means.shape
    lz, ly, lx = lattice
    total = np.empty(bx, np.uint64)
    for k in range(bz):
        first_z, last_z = k * lz, min((k + 1) * lz, nz)
        for j in range(by):
            first_y, last_y = j * ly, min((j + 1) * ly, ny)
            rows = (last_z - first_z) * (last_y - first_y)
            total[:] = 0
            for z in range(first_z, last_z):
                for y in range(first_y, last_y):
                    line = pixels[z, y]
                    for i in range(nx // lx):
                        part = np.uint32(0)
                        for x in range(i * lx, (i + 1) * lx):
                            part += np.uint32(line[x])
                        total[i] += part
                    for x in range(nx // lx * lx, nx):
                        total[bx - 1] += np.uint32(line[x])
            for i in range(bx):
                count = np.uint64(rows * (min((i + 1) * lx, nx) - i * lx))
                means[k, j, i] = (total[i] + count // np.uint64(2)) // count


def bin_means(pixels: NDArray[np.uint16], lattice_px: Triple) -> NDArray[np.uint16]:
    """Mean of each bin of uint16 (z, y, x), rounded to nearest; the array begins at a bin's first pixel."""
    if lattice_px == (1, 1, 1):
        return pixels
    bins = tuple(-(-size // n) for size, n in zip(pixels.shape, lattice_px, strict=True))
    means = np.empty(bins, np.uint16)
    _bin_means(np.ascontiguousarray(pixels), lattice_px, means)
    return means


@kernel
def _ways_up(values: Any, ways: Any) -> None:
    """The step to the highest neighbour of each bin, as 9 * (z + 1) + 3 * (y + 1) + x + 1; 13 from a summit."""
    nz, ny, nx = values.shape
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                best = values[z, y, x]
                if best == 0:
                    continue
                way = _SUMMIT
                for k in range(max(0, z - 1), min(nz, z + 2)):
                    for j in range(max(0, y - 1), min(ny, y + 2)):
                        for i in range(max(0, x - 1), min(nx, x + 2)):
                            here = 9 * (k - z + 1) + 3 * (j - y + 1) + i - x + 1
                            value = values[k, j, i]
                            if value > best or (value == best and here > way):
                                best, way = value, here
                ways[z, y, x] = way


@kernel
def _mix_rows(field: Any, place: Any, lattice: Any, line: Any) -> None:
    """Interpolate along z and y at a row (z, y) of pixels; the weights of the result sum to 4 * lz * ly."""
    bz, by, _ = field.shape
    z, y = place
    lz, ly, _ = lattice
    k, j = z // lz, y // ly
    side_z, side_y = 2 * (z % lz) + 1 - lz, 2 * (y % ly) + 1 - ly
    other_z = min(max(k + (1 if side_z > 0 else -1), 0), bz - 1)
    other_y = min(max(j + (1 if side_y > 0 else -1), 0), by - 1)
    far_z, far_y = np.uint32(abs(side_z)), np.uint32(abs(side_y))
    near_z, near_y = np.uint32(2 * lz) - far_z, np.uint32(2 * ly) - far_y
    a, b, c, d = field[k, j], field[k, other_y], field[other_z, j], field[other_z, other_y]
    if far_z == 0:
        for i in range(line.size):
            line[i] = near_z * (near_y * np.uint32(a[i]) + far_y * np.uint32(b[i]))
        return
    for i in range(line.size):
        near = near_y * np.uint32(a[i]) + far_y * np.uint32(b[i])
        far = near_y * np.uint32(c[i]) + far_y * np.uint32(d[i])
        line[i] = near_z * near + far_z * far


@kernel
def _to_pixels(field: Any, values: Any, ways: Any, places: Any, lattice: Any, result: Any) -> None:
    """See `to_pixels`; places holds 27 * (pixels of a bin) ranks."""
    nz, ny, nx = result.shape
    lz, ly, lx = lattice
    bins = field.shape[2]
    whole = np.uint32(8 * lz * ly * lx)
    half = np.uint32(_HALF) * whole
    line = np.empty(bins, np.uint32)
    for z in range(nz):
        for y in range(ny):
            _mix_rows(field, (z, y), lattice, line)
            heights, up = values[z // lz, y // ly], ways[z // lz, y // ly]
            ranks = places[(z % lz) * ly + y % ly]
            target = result[z, y]
            for i in range(bins):
                before, here, after = line[max(i - 1, 0)], line[i], line[min(i + 1, bins - 1)]
                first, count = i * lx, min(lx, nx - i * lx)
                if max(before, here, after) * np.uint32(2 * lx) <= half:
                    target[first : first + count] = 0
                    continue
                height = np.uint32(heights[i]) * np.uint32(_PLACES)
                for n in range(count):
                    side = 2 * n + 1 - lx
                    other = after if side > 0 else before
                    inside = here * np.uint32(2 * lx - abs(side)) + other * np.uint32(abs(side))
                    if inside <= half:
                        target[first + n] = 0
                    elif height > 0:
                        target[first + n] = height + np.uint32(ranks[up[i], n])
                    else:
                        target[first + n] = np.uint32(1) + (inside - half) // (
                            whole * np.uint32(_PLACES // 2)
                        )


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
    ways = np.empty(values.shape, np.uint8)
    _ways_up(values, ways)
    result = np.empty(shape, np.uint32)
    _to_pixels(field, values, ways, _places(lattice_px), lattice_px, result)
    return result


@lru_cache(maxsize=4)
def _places(lattice_px: Triple) -> NDArray[np.uint8]:
    """Rank of a pixel within its bin, 1 and up: (row of the bin, way up, x)."""
    away = [[_away(step, n, is_summit=False) for step in (-1, 0, 1)] for n in lattice_px]
    middle = [_away(0, n, is_summit=True) for n in lattice_px]
    result = np.empty((27, *lattice_px), np.uint8)
    for way, (z, y, x) in enumerate(product(range(3), repeat=3)):
        lines = middle if way == _SUMMIT else (away[0][z], away[1][y], away[2][x])
        far = np.maximum(np.maximum(lines[0][:, None, None], lines[1][:, None]), lines[2])
        result[way] = 1 + far.max() - far
    return np.ascontiguousarray(np.moveaxis(result, 0, 2).reshape(-1, 27, lattice_px[2]))


def _away(step: int, length: int, *, is_summit: bool) -> NDArray[np.int64]:
    """How far the pixels of a bin, along one axis, are from where the way up leaves it."""
    place = np.arange(length)
    if is_summit:
        return np.abs(place - length // 2)
    return (np.zeros_like(place), length - 1 - place, place)[step]
