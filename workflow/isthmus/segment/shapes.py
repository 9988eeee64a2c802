"""Integer operators on the shape of a mask, with bounded support, the same on every machine.

Arrays are (z, y, x). Lengths are squared, in a unit in which one pixel along z, y, x has the squared length
`step`: voxels need not be cubes. What lies outside the array is neither mask nor background.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel


@kernel
def _distance_first(mask: Any, step: int, limit: int, target: Any) -> None:
    """Squared distance to the nearest background pixel along the middle axis, at most `limit`."""
    outer, rows, columns = mask.shape
    run = np.empty(columns, np.int32)
    for o in range(outer):
        run[:] = 1 << 14
        for row in range(rows):
            for x in range(columns):
                run[x] = (run[x] + 1) if mask[o, row, x] else 0
                run[x] = min(run[x], 1 << 14)
                target[o, row, x] = run[x]
        run[:] = 1 << 14
        for i in range(rows):
            row = rows - 1 - i
            for x in range(columns):
                run[x] = min(run[x] + 1, target[o, row, x])
                target[o, row, x] = min(np.int64(run[x]) * run[x] * step, limit)


@kernel
def _distance_next(line: Any, step: int, limit: int, result: Any) -> None:
    """Lower the squared distances of one line by those of its neighbours, exactly, at most `limit`.

    A neighbour k pixels off helps only if step * k**2 is below the best so far, so the search ends early.
    """
    length = line.size
    for x in range(length):
        best = line[x]
        k = 1
        cost = step
        while cost < best:
            if x >= k and line[x - k] + cost < best:
                best = line[x - k] + cost
            if x + k < length and line[x + k] + cost < best:
                best = line[x + k] + cost
            k += 1
            cost = step * k * k
        result[x] = min(best, limit)


@kernel
def _distance_inner(squared: Any, step: int, limit: int) -> None:
    """Extend squared distances (n, m, k) by the last axis, in place."""
    outer, rows, columns = squared.shape
    result = np.empty(columns, np.int32)
    for o in range(outer):
        for row in range(rows):
            _distance_next(squared[o, row], step, limit, result)
            squared[o, row, :] = result


@kernel
def _distance_depth(squared: Any, step: int, limit: int) -> None:
    """Extend squared distances (z, y, x) by the first axis, in place."""
    nz, ny, nx = squared.shape
    line = np.empty(nz, np.int32)
    result = np.empty(nz, np.int32)
    for y in range(ny):
        for x in range(nx):
            line[:] = squared[:, y, x]
            _distance_next(line, step, limit, result)
            squared[:, y, x] = result


def clipped_distance(mask: NDArray[np.bool_], step: tuple[int, int, int], limit: int) -> NDArray[np.int32]:
    """Exact squared Euclidean distance of a (z, y, x) mask to its background, at most `limit`.

    `step` is the squared length of one pixel along z, y, x in the unit of `limit`. What lies outside the
    array counts as neither. Support along an axis: the largest k with step * k**2 < limit.
    """
    squared = np.empty(mask.shape, np.int32)
    _distance_first(np.ascontiguousarray(mask), step[1], limit, squared)
    _distance_inner(squared, step[2], limit)
    if mask.shape[0] > 1:
        _distance_depth(squared, step[0], limit)
    return squared


@kernel
def _sweep_enclosed(mask: Any, reach: int, enclosed: Any) -> None:
    """Clear `enclosed` where no mask pixel lies within reach to the west, north-west, north or north-east."""
    rows, columns = mask.shape
    north = np.full(columns, reach, np.int32)
    west_diagonal = np.full(columns + 1, reach, np.int32)
    east_diagonal = np.full(columns + 1, reach, np.int32)
    for row in range(rows):
        west = reach
        corner = np.int32(reach)
        for x in range(columns):
            ahead = east_diagonal[x + 1] if x + 1 < columns else np.int32(reach)
            here = corner
            corner = west_diagonal[x]
            if mask[row, x]:
                west = 0
                north[x] = 0
                west_diagonal[x] = 0
                east_diagonal[x] = 0
                continue
            enclosed[row, x] &= max(west, north[x], here, ahead) < reach
            west = min(west + 1, reach)
            north[x] = min(north[x] + 1, reach)
            west_diagonal[x] = min(here + 1, reach)
            east_diagonal[x] = min(ahead + 1, reach)


def enclosed_pixels(mask: NDArray[np.bool_], reach_px: int) -> NDArray[np.bool_]:
    """Pixels of a (z, y, x) mask, and those that see it within reach in all eight directions of their plane.

    A step along a diagonal counts as one. Support: reach_px along y and x, none along z.
    """
    mask = np.ascontiguousarray(mask)
    result = np.ones_like(mask)
    for plane, target in zip(mask, result, strict=True):
        _sweep_enclosed(plane, reach_px, target)
        _sweep_enclosed(plane[::-1, ::-1], reach_px, target[::-1, ::-1])
    return result
