"""Merge peaks of a landscape that hardly any valley parts, with bounded support, the same on every machine."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel

FINE = 256
"""Heights of the result per height of the source: room for the steps of a bridge."""


@kernel
def _is_summit(values: Any, z: int, y: int, x: int) -> bool:
    """Whether no neighbour is higher, or as high and later in reading order."""
    nz, ny, nx = values.shape
    here = values[z, y, x]
    for k in range(max(0, z - 1), min(nz, z + 2)):
        for j in range(max(0, y - 1), min(ny, y + 2)):
            for i in range(max(0, x - 1), min(nx, x + 2)):
                if values[k, j, i] > here:
                    return False
                if values[k, j, i] == here and (k, j, i) > (z, y, x):
                    return False
    return True


@kernel
def _find_higher(values: Any, place: Any, low: Any, reach: Any, parents: Any, queue: Any) -> tuple[int, int]:
    """Search from a summit over pixels not below `low` within a box; first come, first served.

    Returns the box index of the first pixel found that is higher than the summit, or -1, and the number of pixels
    seen. `parents` (one a pixel of the box, -1) holds for each pixel seen the one it was seen from.
    """
    nz, ny, nx = values.shape
    z, y, x = place
    rz, ry, rx = reach
    wide, deep = 2 * rx + 1, (2 * ry + 1) * (2 * rx + 1)
    top = values[z, y, x]
    queue[0] = rz * deep + ry * wide + rx
    parents[queue[0]] = queue[0]
    done, seen = 0, 1
    while done < seen:
        at = queue[done]
        done += 1
        cz, cy, cx = at // deep - rz, at % deep // wide - ry, at % wide - rx
        for dz in range(max(cz - 1, -rz, -z), min(cz + 1, rz, nz - 1 - z) + 1):
            for dy in range(max(cy - 1, -ry, -y), min(cy + 1, ry, ny - 1 - y) + 1):
                for dx in range(max(cx - 1, -rx, -x), min(cx + 1, rx, nx - 1 - x) + 1):
                    other = (dz + rz) * deep + (dy + ry) * wide + dx + rx
                    value = values[z + dz, y + dy, x + dx]
                    if parents[other] >= 0 or value < low:
                        continue
                    parents[other] = at
                    queue[seen] = other
                    seen += 1
                    if value > top:
                        return other, seen
    return -1, seen


@kernel
def _raise_path(result: Any, place: Any, top: Any, end: int, reach: Any, parents: Any) -> None:
    """Raise the path from the summit to `end` (box index) so that it climbs all the way, `end` excluded."""
    z, y, x = place
    rz, ry, rx = reach
    wide, deep = 2 * rx + 1, (2 * ry + 1) * (2 * rx + 1)
    length = 0
    at = parents[end]
    while parents[at] != at:
        length += 1
        at = parents[at]
    at = parents[end]
    while length > 0:
        k, j, i = z + at // deep - rz, y + at % deep // wide - ry, x + at % wide - rx
        height = np.uint32(top * FINE + min(length, FINE - 1))
        result[k, j, i] = max(result[k, j, i], height)
        at = parents[at]
        length -= 1


@kernel
def _bridge(values: Any, share: int, reach: Any, result: Any) -> None:
    nz, ny, nx = values.shape
    size = (2 * reach[0] + 1) * (2 * reach[1] + 1) * (2 * reach[2] + 1)
    parents = np.full(size, -1, np.int32)
    queue = np.empty(size, np.int32)
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                top = np.int64(values[z, y, x])
                if top == 0 or not _is_summit(values, z, y, x):
                    continue
                low = max(np.int64(1), (top * np.int64(share)) >> np.int64(10))
                end, seen = _find_higher(values, (z, y, x), low, reach, parents, queue)
                if end >= 0:
                    _raise_path(result, (z, y, x), top, end, reach, parents)
                parents[queue[:seen]] = -1


def bridge_reach(reach_px: tuple[int, int, int]) -> tuple[int, int, int]:
    """How far `bridge_saddles` looks along z, y, x.

    A pixel may lie on the path of a summit `reach_px` away, whose search goes as far to the other side: there a higher
    pixel may be met first. A summit is one by its neighbours.
    """
    if not any(reach_px):
        return 0, 0, 0
    z, y, x = (max(2 * r, 1) for r in reach_px)
    return z, y, x


def bridge_saddles(
    values: NDArray[np.uint16], share: int, reach_px: tuple[int, int, int]
) -> NDArray[np.uint32]:
    """Heights times FINE, with a climbing path from each summit to a higher pixel behind a shallow saddle.

    From each summit of a (z, y, x) landscape the pixels within `reach_px` that are at least share / 1024 of its
    height are searched, nearest steps first. If a higher pixel is met, the path to it is raised so that it climbs: the
    summit is one no more. Paths are found in the landscape as given and the highest wins where they cross, so the
    order does not matter. Zeros stay zero. Support: `bridge_reach`.
    """
    nz, ny, nx = values.shape
    result = values.astype(np.uint32) * np.uint32(FINE)
    z, y, x = (min(r, n - 1) for r, n in zip(reach_px, (nz, ny, nx), strict=True))
    _bridge(np.ascontiguousarray(values), share, (z, y, x), result)
    return result
