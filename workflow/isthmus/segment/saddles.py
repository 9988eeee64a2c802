"""Merge peaks of a landscape that hardly any valley parts, with bounded support, the same on every machine."""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel

FINE = 256
"""Heights of the result per height of the source: room for the steps of a bridge."""


@kernel
def _strike(row: Any, step: int, is_later: bool, here: Any, is_summit: Any) -> None:
    """Strike off the pixels of a row that are below their neighbour `step` pixels on in another row.

    A neighbour that is later in reading order also strikes off its equals.
    """
    n = here.size
    first, last = max(0, -step), n - max(0, step)
    mine, others, flags = here[first:last], row[first + step : last + step], is_summit[first:last]
    if is_later:
        for x in range(mine.size):
            flags[x] = flags[x] if others[x] < mine[x] else np.uint8(0)
    else:
        for x in range(mine.size):
            flags[x] = flags[x] if others[x] <= mine[x] else np.uint8(0)


@kernel
def _find_summits(values: Any, z: int, y: int, is_summit: Any) -> None:
    """Flag the pixels of a row that no neighbour exceeds under (value, z, y, x); background never is a summit."""
    nz, ny, _ = values.shape
    here = values[z, y]
    for x in range(here.size):
        is_summit[x] = here[x] > 0
    for k in range(max(0, z - 1), min(nz, z + 2)):
        for j in range(max(0, y - 1), min(ny, y + 2)):
            for step in range(-1, 2):
                order = (k - z) * 9 + (j - y) * 3 + step
                if order != 0:
                    _strike(values[k, j], step, order > 0, here, is_summit)


@kernel
def _cut_window(values: Any, place: Any, reach: Any, window: Any) -> Any:
    """Copy what surrounds a pixel within reach, with a border of zeros; returns the maximum.

    Beyond the image's edge the window is zero too.
    """
    nz, ny, nx = values.shape
    z, y, x = place
    rz, ry, rx = reach
    first, last = max(0, x - rx), min(nx, x + rx + 1)
    if min(z - rz, y - ry, x - rx, nz - 1 - z - rz, ny - 1 - y - ry, nx - 1 - x - rx) < 0:
        window[:] = 0
    highest = values[z, y, x]
    for k in range(max(0, z - rz), min(nz, z + rz + 1)):
        for j in range(max(0, y - ry), min(ny, y + ry + 1)):
            source = values[k, j, first:last]
            start = 1 + first - x + rx
            target = window[1 + k - z + rz, 1 + j - y + ry, start : start + source.size]
            for i in range(source.size):
                target[i] = source[i]
                highest = max(highest, source[i])
    return highest


@kernel
def _find_higher(window: Any, top: Any, low: Any, steps: Any, parents: Any, queue: Any) -> Any:
    """Search from the middle of a flat window over pixels not below `low`; first come, first served.

    Returns the index of the first pixel found that is higher than `top`, or -1. `parents` holds for each pixel seen the
    one it was seen from; seen pixels are cleared in the window.
    """
    queue[0] = window.size // 2
    window[queue[0]] = 0
    done, seen = 0, 1
    while done < seen:
        at = np.int64(queue[done])
        done += 1
        for step in steps:
            other = np.uint64(at + step)
            value = window[other]
            if value < low:
                continue
            window[other] = 0
            parents[other] = at
            queue[seen] = other
            seen += 1
            if value > top:
                return np.int64(other)
    return -1


@kernel
def _raise_path(result: Any, place: Any, top: Any, end: int, shape: Any, parents: Any) -> None:
    """Raise the path from the middle of a window to `end` so that it climbs all the way, `end` excluded."""
    z, y, x = place
    deep, high, wide = shape
    middle = deep * high * wide // 2
    length = 0
    at = parents[end]
    while at != middle:
        length += 1
        at = parents[at]
    at = parents[end]
    while length > 0:
        k, j, i = at // (high * wide) - deep // 2, at // wide % high - high // 2, at % wide - wide // 2
        height = np.uint32(top * FINE + min(length, FINE - 1))
        result[z + k, y + j, x + i] = max(result[z + k, y + j, x + i], height)
        at = parents[at]
        length -= 1


@kernel
def _bridge(values: Any, share: int, reach: Any, steps: Any, result: Any) -> None:
    nz, ny, nx = values.shape
    shape = (2 * reach[0] + 3, 2 * reach[1] + 3, 2 * reach[2] + 3)
    window = np.zeros(shape, values.dtype)
    parents = np.empty(window.size, np.int32)
    queue = np.empty(window.size, np.int32)
    is_summit = np.empty(nx, np.uint8)
    for z in range(nz):
        for y in range(ny):
            _find_summits(values, z, y, is_summit)
            for x in range(nx):
                if is_summit[x] == 0:
                    continue
                top = np.int64(values[z, y, x])
                if _cut_window(values, (z, y, x), reach, window) == top:
                    continue
                low = max(np.int64(1), (top * np.int64(share)) >> np.int64(10))
                end = _find_higher(window.reshape(-1), top, low, steps, parents, queue)
                if end >= 0:
                    _raise_path(result, (z, y, x), top, end, shape, parents)


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
    result = np.multiply(values, FINE, dtype=np.uint32)
    z, y, x = (min(r, n - 1) for r, n in zip(reach_px, values.shape, strict=True))
    steps = [(k * (2 * y + 3) + j) * (2 * x + 3) + i for k, j, i in product((-1, 0, 1), repeat=3)]
    steps.remove(0)
    _bridge(np.ascontiguousarray(values), share, (z, y, x), np.array(steps), result)
    return result
