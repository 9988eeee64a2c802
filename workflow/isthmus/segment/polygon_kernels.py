"""Polygons to pixels: a kernel.

A pixel is inside where its centre is: an odd number of edges crosses its row to the left of the centre or at it. Where
an edge crosses a row depends on the edge alone, always computed from its upper end, so that neighbours that share an
edge share no pixel and leave none out, and a pixel is the same whatever window it is painted in.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@kernel
def paint(
    vertices: Float64,
    first_vertex: Int64,
    first_ring: int,
    last_ring: int,
    label: int,
    top: int,
    left: int,
    out: Int64,
) -> None:
    """Write a label into the pixels of a window whose centres a polygon holds.

    Parameters
    ----------
    vertices
        Vertices x (column, row) in pixels, where pixel i covers [i, i + 1).
    first_vertex, first_ring, last_ring
        The polygon has the rings first_ring to last_ring (exclusive) of those that first_vertex bounds.
    top, left
        Row and column of the window's first pixel.
    out
        The window (rows, columns).
    """
    begin, end = first_vertex[first_ring], first_vertex[last_ring]
    low, high = np.inf, -np.inf
    for i in range(begin, end):
        low, high = min(low, vertices[i, 1]), max(high, vertices[i, 1])
    # Cut off before they become whole numbers: an outline may reach far beyond the window.
    first_row = int(min(max(math.ceil(low - 0.5) - top, 0.0), float(out.shape[0])))
    last_row = int(min(max(math.ceil(high - 0.5) + 1.0 - top, 0.0), float(out.shape[0])))
    crossings = np.empty(end - begin, dtype=np.float64)
    for row in range(first_row, last_row):
        y = top + row + 0.5
        n = 0
        for ring in range(first_ring, last_ring):
            a, b = first_vertex[ring], first_vertex[ring + 1]
            for i in range(a, b):
                j = i + 1 if i + 1 < b else a
                upper, lower = (i, j) if vertices[i, 1] <= vertices[j, 1] else (j, i)
                y0, y1 = vertices[upper, 1], vertices[lower, 1]
                if y0 <= y < y1:
                    x0, x1 = vertices[upper, 0], vertices[lower, 0]
                    crossings[n] = x0 + (y - y0) * ((x1 - x0) / (y1 - y0))
                    n += 1
        if not n:
            continue
        found = np.sort(crossings[:n])
        for k in range(0, n - 1, 2):
            first = max(0.0, math.ceil(found[k] - 0.5) - left)
            last = min(float(out.shape[1]), math.ceil(found[k + 1] - 0.5) - left)
            for column in range(int(first), int(last)):
                out[row, column] = label
