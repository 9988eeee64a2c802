"""Perimeters of instances in a plane as counts of local patterns: kernel.

The perimeter of Benkrid and Crookes ("Design and FPGA implementation of a perimeter estimator") as in scikit-image's
`perimeter(neighborhood=4)`: every border pixel adds 1, the root of 2, or half of 1 plus the root of 2, by how many
border pixels lie beside it and at its corners. Counts of the three kinds are whole numbers, so they may be added up
over blocks.
"""

from __future__ import annotations

from math import sqrt

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
    return _border_kinds(np.ascontiguousarray(labels), window, _kinds(), n_instances)


@kernel
def _border_kinds(
    labels: Int32, window: npt.NDArray[np.int64], kinds: npt.NDArray[np.uint8], n_instances: int
) -> npt.NDArray[np.int32]:
    ny, nx = labels.shape
    counts = np.zeros((n_instances, 4), np.int32)
    # Labels of border pixels and 0 elsewhere, with a frame of background.
    border = np.zeros((ny + 2, nx + 2), np.int32)
    nothing = np.zeros(nx, np.int32)
    for y in range(ny):
        here = labels[y]
        above = labels[y - 1] if y > 0 else nothing
        below = labels[y + 1] if y < ny - 1 else nothing
        out = border[y + 1]
        out[1] = here[0]
        out[nx] = here[nx - 1]
        before, after, middle, target = here[: nx - 2], here[2:], here[1 : nx - 1], out[2:nx]
        up, down = above[1 : nx - 1], below[1 : nx - 1]
        for x in range(middle.size):
            label = middle[x]
            inside = (up[x] == label) & (down[x] == label) & (before[x] == label) & (after[x] == label)
            target[x] = 0 if inside else label
    first, last = window[2], window[3]
    n = last - first
    codes, places = np.empty(n, np.int32), np.empty(n + 1, np.int32)
    for y in range(window[0], window[1]):
        above, line, below = (
            border[y][first : last + 2],
            border[y + 1][first : last + 2],
            border[y + 2][first : last + 2],
        )
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
            counts[here[x] - 1, kinds[codes[x]]] += 1
    return counts[:, :3].copy()


@kernel
def _count_beside(here: Int32, one: Int32, two: Int32, three: Int32, four: Int32, codes: Int32) -> None:
    """Set 1 + 2 * (how many of four neighbours have the same label)."""
    for x in range(codes.size):
        label = here[x]
        same = np.int32(one[x] == label) + np.int32(two[x] == label)
        same += np.int32(three[x] == label) + np.int32(four[x] == label)
        codes[x] = 1 + 2 * same


@kernel
def _count_at_corners(here: Int32, one: Int32, two: Int32, three: Int32, four: Int32, codes: Int32) -> None:
    """Add 10 * (how many of four neighbours have the same label)."""
    for x in range(codes.size):
        label = here[x]
        same = np.int32(one[x] == label) + np.int32(two[x] == label)
        same += np.int32(three[x] == label) + np.int32(four[x] == label)
        codes[x] += 10 * same
