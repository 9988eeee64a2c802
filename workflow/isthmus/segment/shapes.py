"""Integer operators on the shape of a mask, with bounded support, the same on every machine.

Arrays are (z, y, x). Lengths are squared, in a unit in which one pixel along z, y, x has the squared length
`step`: voxels need not be cubes. What lies outside the array is neither mask nor background.
"""

from math import isqrt
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


@kernel
def _is_peak(values: Any, z: int, y: int, x: int) -> bool:
    nz, ny, nx = values.shape
    here = values[z, y, x]
    for k in range(max(0, z - 1), min(nz, z + 2)):
        for j in range(max(0, y - 1), min(ny, y + 2)):
            for i in range(max(0, x - 1), min(nx, x + 2)):
                if values[k, j, i] > here:
                    return False
    return True


@kernel
def _raise_cones(values: Any, squared: Any, share: int, offsets: Any, result: Any) -> None:
    nz, ny, nx = values.shape
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                here = np.int64(values[z, y, x])
                if here == 0 or not _is_peak(values, z, y, x):
                    continue
                reach = (np.int64(squared[z, y, x]) * share) >> 10
                for n in range(offsets.shape[0]):
                    if offsets[n, 3] > reach:
                        break
                    k, j, i = z + offsets[n, 0], y + offsets[n, 1], x + offsets[n, 2]
                    if 0 <= k < nz and 0 <= j < ny and 0 <= i < nx and values[k, j, i] > 0:
                        height = here - offsets[n, 4]
                        result[k, j, i] = max(height, np.int64(result[k, j, i]))


def cone_offsets(step: tuple[int, int, int], limit: int, slope: int) -> NDArray[np.int64]:
    """Offsets (dz, dy, dx, squared length, drop) of all pixels within squared length `limit`, nearest first.

    `step` is the squared length of a pixel along z, y, x. The drop grows by `slope` a pixel of the last axis.
    """
    reach = [isqrt(limit // length) for length in step]
    grid = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    squared = (grid**2 * np.array(step)).sum(axis=1)
    inside = squared <= limit
    grid, squared = grid[inside], squared[inside]
    drop = np.array([isqrt(slope * slope * int(length) // step[2]) for length in squared], np.int64)
    table = np.column_stack([grid, squared, drop])
    return np.ascontiguousarray(table[np.argsort(squared, kind="stable")])


def raise_cones(
    values: NDArray[np.uint16], squared: NDArray[np.int32], share: int, offsets: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """Put a flat cone over every local peak of a (z, y, x) landscape; keep the higher of cone and landscape.

    The cone of a peak reaches the pixels whose squared distance is at most share / 1024 of the peak's own
    squared distance to the background. A lower peak inside the cone of a higher one is no peak any more.
    Zeros stay zero. Support along an axis: 1 (is it a peak?) plus the largest offset.
    """
    result = values.copy()
    _raise_cones(values, squared, share, offsets, result)
    return result
