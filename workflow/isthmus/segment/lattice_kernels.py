"""Bins of pixels and back: kernels. See `lattice`.

Rows are worked on as a whole, in 32 bits and without branches, so the compiler can do many bins at once. A bin has a
power of two of pixels along each axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.blocks.kernel import kernel
from isthmus.segment.neighbours import compare_row

HALF = 32767
"""A pixel is inside where the field is above this."""

PLACES = 256
"""What the height of a bin is multiplied by, to leave room for a pixel's rank."""

SUMMIT = 13
"""The way up from a bin that no neighbour exceeds."""


@kernel
def _log2(number: int) -> int:
    """Of a power of two."""
    power = 0
    while (1 << power) < number:
        power += 1
    return power


@kernel
def _add_row(pixels: Any, total: Any) -> None:
    """Add a row of pixels to the sums; what is beyond the row stays."""
    for x in range(pixels.size):
        total[x] += np.uint32(pixels[x])


@kernel
def _add_pairs(singles: Any, pairs: Any) -> None:
    for i in range(pairs.size):
        pairs[i] = singles[2 * i] + singles[2 * i + 1]


@kernel
def _divide(total: Any, shift: int, means: Any) -> None:
    """Divide by a power of two, rounding to nearest."""
    by = np.uint32(shift) & np.uint32(31)
    half = np.uint32((1 << shift) >> 1)
    for i in range(means.size):
        means[i] = np.uint32(total[i] + half) >> by


@kernel
def find_means(pixels: Any, lattice: Any, means: Any) -> None:
    """Rows of a bin are added up, then neighbours in pairs until one number a bin is left."""
    nz, ny, nx = pixels.shape
    bz, by, bx = means.shape
    lz, ly, lx = lattice
    total = np.empty(bx * lx, np.uint32)
    spare = np.empty(bx * lx, np.uint32)
    shift = _log2(lz * ly * lx)
    for k in range(bz):
        first_z, last_z = k * lz, min((k + 1) * lz, nz)
        for j in range(by):
            first_y, last_y = j * ly, min((j + 1) * ly, ny)
            rows = (last_z - first_z) * (last_y - first_y)
            total[:] = 0
            for z in range(first_z, last_z):
                for y in range(first_y, last_y):
                    _add_row(pixels[z, y], total)
            width = bx * lx
            while width > bx:
                width //= 2
                _add_pairs(total[: 2 * width], spare[:width])
                total, spare = spare, total
            _divide(total, shift, means[k, j])
            # Bins that the image's end cuts hold fewer pixels.
            for i in range(0 if rows < lz * ly else nx // lx, bx):
                count = np.uint32(rows * (min((i + 1) * lx, nx) - i * lx))
                means[k, j, i] = (total[i] + count // np.uint32(2)) // count


@kernel
def find_ways_up(values: Any, ways: Any) -> None:
    """The step to the highest neighbour of each bin, as 9 * (z + 1) + 3 * (y + 1) + x + 1; 13 from a summit.

    Of equals the last one is highest. Bins of height 0 have no way.
    """
    nz, ny, nx = values.shape
    row = np.zeros(nx + 2, values.dtype)
    best = np.empty(nx, values.dtype)
    for z in range(nz):
        for y in range(ny):
            best[:] = 0
            for k in range(max(0, z - 1), min(nz, z + 2)):
                for j in range(max(0, y - 1), min(ny, y + 2)):
                    row[1 : nx + 1] = values[k, j]
                    compare_row(row, 9 * (k - z + 1) + 3 * (j - y + 1) + 1, best, ways[z, y])


@kernel
def _add_mix(near: Any, far: Any, near_share: Any, far_share: Any, line: Any) -> None:
    """Add two rows of the field to a line, each times its share."""
    for i in range(line.size):
        line[i] += np.uint32(near_share * np.uint32(near[i])) + np.uint32(far_share * np.uint32(far[i]))


@kernel
def _mix_rows(field: Any, place: Any, lattice: Any, line: Any) -> None:
    """Interpolate along z and y at a row (z, y) of pixels; the weights of the result sum to 4 * lz * ly.

    The line has one place more at each end, which repeats the last.
    """
    bz, by, bx = field.shape
    z, y = place
    lz, ly, _ = lattice
    k, j = z // lz, y // ly
    side_z, side_y = 2 * (z % lz) + 1 - lz, 2 * (y % ly) + 1 - ly
    other_z = min(max(k + (1 if side_z > 0 else -1), 0), bz - 1)
    other_y = min(max(j + (1 if side_y > 0 else -1), 0), by - 1)
    far_z, far_y = np.uint32(abs(side_z)), np.uint32(abs(side_y))
    near_z, near_y = np.uint32(2 * lz - far_z), np.uint32(2 * ly - far_y)
    line[:] = 0
    inner = line[1 : bx + 1]
    _add_mix(field[k, j], field[k, other_y], np.uint32(near_z * near_y), np.uint32(near_z * far_y), inner)
    if far_z > 0:
        shares = np.uint32(far_z * near_y), np.uint32(far_z * far_y)
        _add_mix(field[other_z, j], field[other_z, other_y], shares[0], shares[1], inner)
    line[0], line[bx + 1] = line[1], line[bx]


@kernel
def _fill_place(line: Any, other: Any, shares: Any, bounds: Any, heights: Any, ranks: Any, made: Any) -> None:
    """The pixel at the same place of each bin of a row.

    shares = of the bin and of the other one that the field is interpolated with; bounds = what the field must exceed,
    bits of a rise above it, bits of the ranks before this place's.
    """
    here_share, other_share = shares
    half, rise, before = bounds
    for i in range(made.size):
        inside = np.uint32(line[i] * here_share + other[i] * other_share)
        outer = np.uint32(np.uint32(1) + (np.uint32(inside - half) >> rise))
        inner = np.uint32(heights[i] + (np.uint32(ranks[i] >> before) & np.uint32(255)))
        value = inner if heights[i] > 0 else outer
        made[i] = value if inside > half else np.uint32(0)


@kernel
def _spread(made: Any, first: int, step: int, target: Any) -> None:
    for i in range(made.size):
        target[np.uint64(first + i * step)] = made[i]


@kernel
def _fill_row(line: Any, lattice: Any, row: int, heights: Any, ranks: Any, made: Any, target: Any) -> None:
    """The pixels of a row, which is the bin's row of this number: the first of each bin, then the second, ..."""
    lz, ly, lx = lattice
    bins = heights.size
    whole = 8 * lz * ly * lx
    half = np.uint32(HALF * whole)
    rise = np.uint32(_log2(whole * PLACES // 2) & 31)
    if _largest(line) * np.uint32(2 * lx) <= half:
        target[:] = 0
        return
    for n in range(lx):
        side = 2 * n + 1 - lx
        other = line[2:] if side > 0 else line[:bins]
        shares = np.uint32(2 * lx - abs(side)), np.uint32(abs(side))
        place = row * lx + n
        bounds = half, rise, np.uint32(8 * (place % 4))
        count = (target.size - n + lx - 1) // lx
        _fill_place(line[1 : bins + 1], other, shares, bounds, heights, ranks[place // 4], made[:count])
        _spread(made[:count], n, lx, target)


@kernel
def _largest(line: Any) -> Any:
    top = np.uint32(0)
    for i in range(line.size):
        top = max(top, line[i])
    return top


@kernel
def _begin_bins(values: Any, ways: Any, places: Any, heights: Any, ranks: Any) -> None:
    """Heights, and ranks of the pixels, of a row of bins."""
    for i in range(values.size):
        heights[i] = np.uint32(values[i]) * np.uint32(PLACES)
    for part in range(places.shape[0]):
        table, target = places[part], ranks[part]
        for i in range(values.size):
            target[i] = table[np.uint64(ways[i])]


@kernel
def fill_pixels(field: Any, values: Any, ways: Any, places: Any, lattice: Any, result: Any) -> None:
    """See `lattice.to_pixels`; places holds ranks (four pixels of a bin, 27 ways up)."""
    nz, ny, _ = result.shape
    lz, ly, _ = lattice
    bz, by, bins = field.shape
    line = np.empty(bins + 2, np.uint32)
    heights = np.empty(bins, np.uint32)
    made = np.empty(bins, np.uint32)
    ranks = np.empty((places.shape[0], bins), np.uint32)
    for k in range(bz):
        for j in range(by):
            _begin_bins(values[k, j], ways[k, j], places, heights, ranks)
            for z in range(k * lz, min(k * lz + lz, nz)):
                for y in range(j * ly, min(j * ly + ly, ny)):
                    _mix_rows(field, (z, y), lattice, line)
                    row = (z - k * lz) * ly + y - j * ly
                    _fill_row(line, lattice, row, heights, ranks, made, result[z, y])
