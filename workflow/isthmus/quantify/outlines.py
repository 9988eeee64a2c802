"""Outlines of instances along the edges of their pixels.

An outline is made of closed rings through pixel corners; only corners where it turns are kept. Pixels that share an
edge are one polygon, parts that meet in a corner at most are polygons of their own; a hole that touches another, or the
outer ring, in a corner is a ring of its own. So no ring meets itself, rings touch in points at most, and polygons are
valid as OGC Simple Features (ISO 19125-1) asks. The area of the polygons is the number of pixels, exactly.

An outline depends on the set of an instance's pixels alone. It is kept as a code of whole numbers, one a corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.outline_rings import trace

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outlines:
    """Outlines of several instances.

    number
        (instances,): ascending.
    z
        (instances, 2): first and last plane of each.
    bounds
        (instances + 1,): the code of instance i is `code[bounds[i] : bounds[i + 1]]`.
    code
        Ring after ring: y and x of its first corner, the number of moves (negative for a hole), then the moves from
        corner to corner until the ring is closed, along x and y in turn. An outer ring begins a polygon and moves along
        x first; its holes follow it and move along y first. The first corner is the ring's first in reading order
        (y, x); polygons, and the holes of one, come in the order of their first corners. With y upwards, outer rings
        run counterclockwise and holes clockwise.
    """

    number: Int32
    z: Int32
    bounds: Int64
    code: Int32


def trace_outlines(runs: Int32, *, origin: tuple[int, int] = (0, 0)) -> Outlines:
    """Trace outlines; in a volume, those of the footprints: all planes seen as one.

    Parameters
    ----------
    runs
        All runs (runs, 5) of the instances, see `quantify.runs.RUN_COLUMNS`; numbers ascend. Runs of one instance may
        overlap or touch, in any order.
    origin
        (y, x) that is taken from all corners.
    """
    number, first = np.unique(runs[:, 0], return_index=True)
    bounds = np.append(first, len(runs)).astype(np.int64)
    flat, flat_bounds, z = _footprints(runs, bounds)
    code, code_bounds = trace(flat, flat_bounds, origin[0], origin[1])
    return Outlines(number, z, code_bounds, code)


@kernel
def _footprints(runs: Int32, bounds: Int64) -> tuple[Int32, Int64, Int32]:
    """Runs (y, x_start, x_stop) of each footprint, sorted, as few as can be; their bounds; first and last plane."""
    n_instances = len(bounds) - 1
    flat = np.empty((len(runs), 3), dtype=np.int32)
    flat_bounds = np.zeros(n_instances + 1, dtype=np.int64)
    z = np.empty((n_instances, 2), dtype=np.int32)
    n = 0
    for k in range(n_instances):
        part = runs[bounds[k] : bounds[k + 1]]
        low, high, is_sorted = part[0, 1], part[0, 1], True
        for i in range(1, len(part)):
            low, high = min(low, part[i, 1]), max(high, part[i, 1])
            above, y = part[i - 1, 2], part[i, 2]
            is_sorted &= above < y or (above == y and part[i - 1, 3] <= part[i, 3])
        z[k, 0], z[k, 1] = low, high
        if not is_sorted:
            part = _sorted_by(_sorted_by(part, 3), 2)
        n = _union(part, flat, n)
        flat_bounds[k + 1] = n
    return flat[:n], flat_bounds, z


@kernel
def _union(runs: Int32, flat: Int32, n: int) -> int:
    """Write sorted runs of one footprint behind the n there are, those that touch or overlap as one."""
    first = n
    for i in range(len(runs)):
        y, start, stop = runs[i, 2], runs[i, 3], runs[i, 4]
        if n > first and flat[n - 1, 0] == y and start <= flat[n - 1, 2]:
            flat[n - 1, 2] = max(flat[n - 1, 2], stop)
        else:
            flat[n, 0], flat[n, 1], flat[n, 2] = y, start, stop
            n += 1
    return n


@kernel
def _sorted_by(runs: Int32, column: int) -> Int32:
    """Runs in the order of a column; equal ones keep their order."""
    low, high = runs[0, column], runs[0, column]
    for i in range(len(runs)):
        low, high = min(low, runs[i, column]), max(high, runs[i, column])
    place = np.zeros(high - low + 2, dtype=np.int64)
    for i in range(len(runs)):
        place[runs[i, column] - low + 1] += 1
    for i in range(1, len(place)):
        place[i] += place[i - 1]
    made = np.empty((len(runs), runs.shape[1]), dtype=np.int32)
    for i in range(len(runs)):
        value = runs[i, column] - low
        for k in range(runs.shape[1]):
            made[place[value], k] = runs[i, k]
        place[value] += 1
    return made
