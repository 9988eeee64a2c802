"""Perimeters of instances in a plane as counts of local patterns: kernel.

The perimeter of Benkrid and Crookes ("Design and FPGA implementation of a perimeter estimator") as in scikit-image's
`perimeter(neighborhood=4)`: every border pixel adds 1, the root of 2, or half of 1 plus the root of 2, by how many
border pixels lie beside it and at its corners. Counts of the three kinds are whole numbers, so they may be added up
over blocks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]

MARGIN_PX = 2
"""A border pixel's kind depends on the border pixels around it, and theirs on the pixels around them."""

WEIGHTS = (1.0, 2**0.5, (1 + 2**0.5) / 2)
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
    places = np.empty(nx + 1, np.int32)
    for y in range(window[0], window[1]):
        line, above, below = border[y + 1], border[y], border[y + 2]
        n = 0
        for x in range(window[2], window[3]):
            places[n] = x
            n += line[x + 1] > 0
        for k in range(n):
            x = places[k] + 1
            label = line[x]
            code = 1 + 2 * (
                np.int64(line[x - 1] == label)
                + np.int64(line[x + 1] == label)
                + np.int64(above[x] == label)
                + np.int64(below[x] == label)
            )
            code += 10 * (
                np.int64(above[x - 1] == label)
                + np.int64(above[x + 1] == label)
                + np.int64(below[x - 1] == label)
                + np.int64(below[x + 1] == label)
            )
            counts[label - 1, kinds[code]] += 1
    return counts[:, :3].copy()
