"""Convex hulls of instances in a plane, in whole numbers: kernels.

The hull is that of scikit-image's convex_hull_image: of the midpoints of all pixel edges; its area is the number of
pixels whose centres lie in it or on its border. It follows from the first and the last pixel of every line.
Extents come as segments of flat arrays: segment 2 * k is the nucleus of instance k, segment 2 * k + 1 the whole cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.spans import NUCLEUS, Spans

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Extents:
    """First and last pixel of every line of a nucleus or a cell, lines ascending within a segment."""

    offsets: Int64
    line: Int32
    first: Int32
    last: Int32


def find_extents(spans: Spans, order: Int32, first: Int64) -> Extents:
    """Extents of every instance of a block, in its own pixels; order and first are those of `Spans.by_instance`."""
    return Extents(*_find_extents(spans.part, spans.line, spans.start, spans.stop, order, first))


def convex_areas(extents: Extents) -> npt.NDArray[np.int64]:
    """Pixels in the convex hull of every segment."""
    return _convex_areas(extents.offsets, extents.line, extents.first, extents.last)


@kernel
def _find_extents(
    part: Any, line: Any, start: Any, stop: Any, order: Int32, first: Int64
) -> tuple[Int64, Int32, Int32, Int32]:
    n_instances = first.size - 1
    offsets = np.zeros(2 * n_instances + 1, np.int64)
    lines, begin, end = (
        np.empty(2 * order.size, np.int32),
        np.empty(2 * order.size, np.int32),
        np.empty(2 * order.size, np.int32),
    )
    found = 0
    for k in range(n_instances):
        for whole in range(2):
            at = found
            for place in range(first[k], first[k + 1]):
                span = order[place]
                if not whole and part[span] != NUCLEUS:
                    continue
                if found == at or lines[found - 1] != line[span]:
                    lines[found] = line[span]
                    begin[found] = start[span]
                    found += 1
                end[found - 1] = stop[span] - 1
            offsets[2 * k + whole + 1] = found
    return offsets, lines[:found], begin[:found], end[:found]


@kernel
def _convex_areas(offsets: Int64, line: Int32, first: Int32, last: Int32) -> Int64:
    n_segments = offsets.size - 1
    areas = np.zeros(n_segments, np.int64)
    most = 0
    for s in range(n_segments):
        most = max(most, offsets[s + 1] - offsets[s])
    at_line, at_column = np.empty(most, np.int64), np.empty(most, np.int64)
    for s in range(n_segments):
        a, b = offsets[s], offsets[s + 1]
        if b > a:
            n = _find_corners(line[a:b], first[a:b], 1, at_line, at_column)
            left = _sum_first(at_line[:n], at_column[:n])
            n = _find_corners(line[a:b], last[a:b], -1, at_line, at_column)
            right = _sum_first(at_line[:n], at_column[:n])
            areas[s] = line[b - 1] - line[a] + 1 - right - left
    return areas


@kernel
def _find_corners(line: Int32, column: Int32, sign: int, at_line: Int64, at_column: Int64) -> int:
    """Corners of the left side of the hull of pixel centres; columns are mirrored where sign is -1."""
    n = 0
    for k in range(line.size):
        y, x = np.int64(line[k]), np.int64(column[k]) * sign
        # A corner goes when the way past it leaves it on the inner side.
        while n >= 2 and (at_column[n - 1] - at_column[n - 2]) * (y - at_line[n - 2]) >= (
            x - at_column[n - 2]
        ) * (at_line[n - 1] - at_line[n - 2]):
            n -= 1
        at_line[n], at_column[n] = y, x
        n += 1
    return n


@kernel
def _sum_first(at_line: Int64, at_column: Int64) -> Any:
    """Sum of the first columns in the hull of edge midpoints on all lines, from the corners of the hull of centres.

    The midpoints of a pixel are the corners of a diamond around its centre, so their hull is that of the centres
    widened by the diamond. Where that of the centres begins at x on a line, and at x + slope on the next, the other
    begins at the least of x - 1/2, x + slope / 2, and the same towards the line before: half a pixel farther out beside
    a flat edge, half of the edge's slope beside a steep one.
    """
    total = at_column[0]
    for k in range(at_line.size - 1):
        x, run, rise = at_column[k], at_line[k + 1] - at_line[k], at_column[k + 1] - at_column[k]
        # At the corner that the edge leaves inwards; a flat edge changes nothing there.
        total += at_column[k + 1] - abs(rise) // (2 * run)
        out = max(run, abs(rise))
        for step in range(1, run):
            total += x - (out - 2 * rise * step) // (2 * run)
    return total
