"""Integer operators on the shape of a mask, with bounded support, the same on every machine.

Arrays are (z, y, x). Lengths are squared, in a unit in which one pixel along z, y, x has the squared length
`step`: voxels need not be cubes. What lies outside the array is neither mask nor background.

Kernels work on whole rows, or stretches of them, so that the compiler can treat many pixels at once.
"""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel


@kernel
def _step_on(line: Any, most: Any, run: Any, counts: Any) -> None:
    """Count one step more in the mask, at most `most`, and none outside it."""
    for x in range(line.size):
        count = min(run.dtype.type(run[x] + 1), most)
        run[x] = count if line[x] else run.dtype.type(0)
        counts[x] = run[x]


@kernel
def _count_up(mask: Any, most: Any, counts: Any) -> None:
    """Steps from each pixel of (n, m, k) back along the middle axis to the first outside the mask, at most `most`.

    Nothing is known before the first row: there steps are `most`.
    """
    outer, rows, columns = mask.shape
    run = np.empty(columns, counts.dtype)
    for o in range(outer):
        run[:] = most
        for row in range(rows):
            _step_on(mask[o, row], most, run, counts[o, row])


@kernel
def _square(counts: Any, step: Any, most: Any, run: Any, line: Any) -> None:
    """Step back a row: the lesser of the steps to both sides, in `run`; turn it into squared distances, twice."""
    for x in range(run.size):
        count = min(run.dtype.type(run[x] + 1), counts[x])
        run[x] = count
        squared = min(np.uint32(np.uint32(count * count) * step), most)
        line[x] = squared
        counts[x] = squared


@kernel
def _lower(best: Any, one: Any, other: Any, cost: Any) -> Any:
    """Lower a row to the lesser of two others plus a cost; returns the largest value left."""
    top = best.dtype.type(0)
    for x in range(best.size):
        value = min(best[x], best.dtype.type(min(one[x], other[x]) + cost))
        best[x] = value
        top = max(top, value)
    return top


@kernel
def _lower_row(line: Any, costs: Any, best: Any) -> None:
    """Lower the squared distances of a row by those of its pixels to both sides, exactly.

    `line` is a copy with costs.size more pixels on each side; costs[k] is the squared length of k pixels. A neighbour
    helps only if it costs less than the largest value left, so the search ends early.
    """
    pad, n = costs.size, best.size
    top = best.max()
    k = 1
    while k < pad and costs[k] < top:
        top = _lower(best, line[pad - k : pad - k + n], line[pad + k : pad + k + n], costs[k])
        k += 1


@kernel
def _distance_in_plane(step: Any, limit: Any, costs: Any, squared: Any) -> None:
    """From steps back along the middle axis to squared distances in the plane, in place."""
    outer, rows, columns = squared.shape
    pad = costs.size
    line = np.full(columns + 2 * pad, limit, squared.dtype)
    run = np.empty(columns, squared.dtype)
    for o in range(outer):
        run[:] = squared[o, rows - 1]
        for row in range(rows - 1, -1, -1):
            _square(squared[o, row], step, limit, run, line[pad : pad + columns])
            _lower_row(line, costs, squared[o, row])


@kernel
def _distance_depth(costs: Any, limit: Any, squared: Any) -> None:
    """Extend squared distances (z, y, x) by the first axis, in place."""
    nz, ny, nx = squared.shape
    planes = np.empty((nz, nx), squared.dtype)
    beyond = np.full(nx, limit, squared.dtype)
    for y in range(ny):
        planes[:] = squared[:, y]
        for z in range(nz):
            best = squared[z, y]
            top = _lower(best, best, best, costs[0])
            k = 1
            while k < costs.size and costs[k] < top:
                one = planes[z - k] if z >= k else beyond
                other = planes[z + k] if z + k < nz else beyond
                top = _lower(best, one, other, costs[k])
                k += 1


def clipped_distance(
    mask: NDArray[np.bool_], step: tuple[int, int, int], limit: int
) -> NDArray[np.unsignedinteger]:
    """Exact squared Euclidean distance of a (z, y, x) mask to its background, at most `limit`.

    `step` is the squared length of one pixel along z, y, x in the unit of `limit`. What lies outside the
    array counts as neither. Support along an axis: the largest k with step * k**2 < limit. The result is uint16 where
    twice the limit fits, else uint32; the limit must be below 2**30.
    """
    dtype = np.uint16 if 2 * limit < 1 << 16 else np.uint32
    squared = np.empty(mask.shape, dtype)
    _count_up(np.ascontiguousarray(mask), dtype(_reach(step[1], limit) + 1), squared)
    _distance_in_plane(np.uint32(step[1]), np.uint32(limit), _costs(step[2], limit, dtype), squared)
    if mask.shape[0] > 1:
        _distance_depth(_costs(step[0], limit, dtype), dtype(limit), squared)
    return squared


def _reach(step: int, limit: int) -> int:
    """Largest number of pixels whose squared length is below the limit."""
    return isqrt((limit - 1) // step)


def _costs(step: int, limit: int, dtype: type[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Squared lengths of 0, 1, 2, ... pixels that are below the limit."""
    return (step * np.arange(_reach(step, limit) + 1) ** 2).astype(dtype)


@kernel
def _look_back(line: Any, reach: Any, before: Any, after: Any, seen: Any) -> None:
    """Clear `seen` where a direction shows no mask within reach; `before`, `after` count how much further it is seen.

    A mask pixel is seen for `reach` rows, one less with every row.
    """
    for x in range(line.size):
        count = before[x]
        seen[x] = seen[x] if count > 0 else np.uint8(0)
        further = np.uint16(count - 1) if count > 0 else np.uint16(0)
        after[x] = reach if line[x] else further


@kernel
def _sweep_rows(mask: Any, reach: int, is_back: bool, seen: Any) -> None:
    """Clear `seen` where no mask pixel lies within reach in the three directions to the rows passed before."""
    rows, columns = mask.shape
    counts = np.zeros((2, 3, columns + 2), np.uint16)
    for k in range(rows):
        row = rows - 1 - k if is_back else k
        for way in range(3):
            before = counts[k % 2, way, way : way + columns]
            after = counts[1 - k % 2, way, 1 : columns + 1]
            _look_back(mask[row], np.uint16(reach), before, after, seen[row])


@kernel
def _look_along(line: Any, reach: int, side: int, widened: Any, seen: Any) -> None:
    """Clear `seen` where no pixel of a row within reach to one side (-1 or 1) is set.

    Runs of set pixels grow by doubling. `widened` is two rows, 2 * reach longer than `line`, with zeros at the ends.
    """
    n = line.size
    middle = widened[0, reach : reach + n]
    for x in range(n):
        middle[x] = line[x]
    now, width = 0, 1
    while width <= reach:
        step = min(width, reach + 1 - width)
        here, target = widened[now, reach : reach + n], widened[1 - now, reach : reach + n]
        first = reach + side * step
        there = widened[now, first : first + n]
        for x in range(n):
            target[x] = here[x] | there[x]
        now = 1 - now
        width += step
    found = widened[now, reach : reach + n]
    for x in range(n):
        seen[x] &= found[x]


@kernel
def _sweep_columns(mask: Any, reach: int, seen: Any) -> None:
    """Clear `seen` where no mask pixel lies within reach along the row to both sides; set it in the mask."""
    rows, columns = mask.shape
    widened = np.zeros((2, columns + 2 * reach), np.uint8)
    for row in range(rows):
        line, target = mask[row], seen[row]
        _look_along(line, reach, -1, widened, target)
        _look_along(line, reach, 1, widened, target)
        for x in range(columns):
            target[x] |= line[x]


def enclosed_pixels(mask: NDArray[np.bool_], reach_px: int) -> NDArray[np.bool_]:
    """Pixels of a (z, y, x) mask, and those that see it within reach in all eight directions of their plane.

    A step along a diagonal counts as one. Support: reach_px along y and x, none along z. Reach at most 65535.
    """
    bits = np.ascontiguousarray(mask).view(np.uint8)
    result = np.ones_like(bits)
    for plane, seen in zip(bits, result, strict=True):
        _sweep_rows(plane, reach_px, False, seen)
        _sweep_rows(plane, reach_px, True, seen)
        _sweep_columns(plane, reach_px, seen)
    return result.view(np.bool_)
