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
    most = height = 0
    for s in range(n_segments):
        a, b = offsets[s], offsets[s + 1]
        if b > a:
            most = max(most, b - a)
            height = max(height, line[b - 1] - line[a] + 1)
    # Vertices (line, column) in half pixels.
    at_line, at_column = np.empty(3 * most, np.int64), np.empty(3 * most, np.int64)
    left, right = np.empty(height, np.int64), np.empty(height, np.int64)
    for s in range(n_segments):
        a, b = offsets[s], offsets[s + 1]
        if b == a:
            continue
        _left_side(line[a:b], first[a:b], 1, at_line, at_column, left)
        _left_side(line[a:b], last[a:b], -1, at_line, at_column, right)
        for k in range(line[b - 1] - line[a] + 1):
            areas[s] += 1 - right[k] - left[k]
    return areas


@kernel
def _left_side(line: Int32, column: Int32, sign: int, at_line: Int64, at_column: Int64, left: Int64) -> None:
    """First column in the hull on every line from the first to the last; columns are mirrored where sign is -1."""
    n = 0
    for k in range(line.size):
        y, x = 2 * np.int64(line[k]), 2 * np.int64(column[k]) * sign
        for step in range(-1, 2):
            v, u = y + step, x - (step == 0)
            if n and at_line[n - 1] == v:
                if at_column[n - 1] <= u:
                    continue
                n -= 1
            # A vertex goes when the way past it leaves it on the inner side.
            while n >= 2 and (at_column[n - 1] - at_column[n - 2]) * (v - at_line[n - 2]) >= (
                u - at_column[n - 2]
            ) * (at_line[n - 1] - at_line[n - 2]):
                n -= 1
            at_line[n], at_column[n] = v, u
            n += 1
    k = 0
    for row in range(line[-1] - line[0] + 1):
        v = 2 * (np.int64(line[0]) + row)
        while at_line[k + 1] < v:
            k += 1
        run, rise = at_line[k + 1] - at_line[k], at_column[k + 1] - at_column[k]
        # Half pixels over `run`, rounded up to whole pixels.
        left[row] = -((-(at_column[k] * run + rise * (v - at_line[k]))) // (2 * run))
