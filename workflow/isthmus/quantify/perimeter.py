"""Perimeters of instances in a plane as counts of local patterns: kernel.

The perimeter of Benkrid and Crookes ("Design and FPGA implementation of a perimeter estimator") as in scikit-image's
`perimeter(neighborhood=4)`: every border pixel adds 1, the root of 2, or half of 1 plus the root of 2, by how many
border pixels lie beside it and at its corners. Counts of the three kinds are whole numbers, so they may be added up
over blocks.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]

MARGIN_PX = 2
"""A border pixel's kind depends on the border pixels around it, and theirs on the pixels around them."""

WEIGHTS = (1.0, sqrt(2), (1 + sqrt(2)) / 2)
"""What a border pixel of each kind adds."""

_NO_KIND = 3


def _kinds() -> npt.NDArray[np.uint8]:
    """Kind of a border pixel by 1 + 2 * (border pixels beside it) + 10 * (at its corners)."""
    kinds = np.full(50, _NO_KIND, dtype=np.uint8)
    kinds[[5, 7, 15, 17, 25, 27]] = 0
    kinds[[21, 33]] = 1
    kinds[[13, 23]] = 2
    return kinds


def border_kinds(labels: Int32, inner: tuple[slice, slice], n_instances: int) -> npt.NDArray[np.int32]:
    """Count the border pixels of each kind.

    Parameters
    ----------
    labels
        Instances (y, x), 0 = background, with MARGIN_PX around `inner` except at the image's edge.
    inner
        The pixels that are counted.

    Returns
    -------
    (instances, 3): border pixels by kind.
    """
    rows, columns = inner
    window = np.array([rows.start, rows.stop, columns.start, columns.stop], dtype=np.int64)
    # Numbers of 16 bits are compared twice as fast, and blocks seldom have more.
    dtype = np.uint16 if n_instances < 1 << 16 else np.int32
    border = np.zeros((3, columns.stop - columns.start + 2), dtype=dtype)
    return _border_kinds(np.ascontiguousarray(labels), window, _kinds(), n_instances, border)


@kernel
def _border_kinds(
    labels: Int32, window: npt.NDArray[np.int64], kinds: npt.NDArray[np.uint8], n_instances: int, border: Any
) -> npt.NDArray[np.int32]:
    """Count line by line; `border` is room for three lines: labels of border pixels, and 0 elsewhere."""
    counts = np.zeros((n_instances, 4), np.int32)
    top, bottom, left, right = window
    n = right - left
    codes, places = np.empty(n, np.uint8), np.empty(n + 1, np.int32)
    _find_border(labels, top - 1, left - 1, border[(top + 2) % 3])
    _find_border(labels, top, left - 1, border[top % 3])
    for y in range(top, bottom):
        above, line, below = border[(y + 2) % 3], border[y % 3], border[(y + 1) % 3]
        _find_border(labels, y + 1, left - 1, below)
        here = line[1 : n + 1]
        # For all pixels, without a branch: the compiler makes vectors of it.
        _count_beside(here, line[:n], line[2:], above[1 : n + 1], below[1 : n + 1], codes)
        _count_at_corners(here, above[:n], above[2:], below[:n], below[2:], codes)
        n_places = 0
        for x in range(n):
            places[n_places] = x
            n_places += here[x] > 0
        for k in range(n_places):
            x = places[k]
            counts[np.int64(here[x]) - 1, kinds[codes[x]]] += 1
    return counts[:, :3].copy()


@kernel
def _find_border(labels: Int32, y: int, left: int, border: Any) -> None:
    """Labels of the border pixels of a line from column `left` on, 0 elsewhere; outside the array is background."""
    ny, nx = labels.shape
    border[:] = 0
    if y < 0 or y >= ny:
        return
    here = labels[y]
    first, last = max(0, left), min(nx, left + border.size)
    if y in (0, ny - 1):
        for x in range(first, last):
            border[x - left] = here[x]
        return
    for x in (first, last - 1):
        border[x - left] = here[x]  # right where it is the array's first or last column; else written over
    first, last = max(1, first), min(nx - 1, last)
    before, after, middle = here[first - 1 : last - 1], here[first + 1 : last + 1], here[first:last]
    up, down = labels[y - 1][first:last], labels[y + 1][first:last]
    target = border[first - left : last - left]
    for x in range(middle.size):
        label = middle[x]
        inside = (up[x] == label) & (down[x] == label) & (before[x] == label) & (after[x] == label)
        target[x] = 0 if inside else label


@kernel
def _count_beside(here: Any, one: Any, two: Any, three: Any, four: Any, codes: Any) -> None:
    """Set 1 + 2 * (how many of four neighbours have the same label)."""
    for x in range(codes.size):
        label = here[x]
        same = np.uint8(one[x] == label) + np.uint8(two[x] == label)
        same += np.uint8(three[x] == label) + np.uint8(four[x] == label)
        codes[x] = np.uint8(1 + 2 * same)


@kernel
def _count_at_corners(here: Any, one: Any, two: Any, three: Any, four: Any, codes: Any) -> None:
    """Add 10 * (how many of four neighbours have the same label)."""
    for x in range(codes.size):
        label = here[x]
        same = np.uint8(one[x] == label) + np.uint8(two[x] == label)
        same += np.uint8(three[x] == label) + np.uint8(four[x] == label)
        codes[x] = np.uint8(codes[x] + 10 * same)
