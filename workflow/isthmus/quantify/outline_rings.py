"""The rings of one footprint after the other, from its runs: kernels.

A footprint is gone through row by row. Between two rows, a corner is where a side (the left or right end of a run)
begins or ends; corners of one line are joined in pairs along x, the two ends of a side along y. Where two pixels meet
in a corner only, there are two corners in one place, twins. They are joined so that each pixel keeps its own, which is
right for parts that belong to different polygons; twins that turn out to lie on one ring exchange their sides, so that
the ring comes apart there and does not meet itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

RING_HEAD = 3
"""Numbers before the moves of a ring: y, x of its first corner, and how many moves follow, negative for a hole."""

# Columns of corners.
_Y, _X = 0, 1
_ALONG_X, _ALONG_Y = 2, 3  # the corners it is joined with
_TWIN = 4  # the other corner in this place; -1: none
_LEFT = 5  # for a corner where a run ends below: the corner above the left end of that run; -1: otherwise
_RING = 6  # the ring, later the polygon, that it lies on; -1: none yet
_N_COLUMNS = 7

# Columns of rings.
_FIRST, _POLYGON, _IS_HOLE = 0, 1, 2


@kernel
def trace(flat: Int32, bounds: Int64, origin_y: int, origin_x: int) -> tuple[Int32, Int64]:
    """Codes of footprints, see `quantify.outlines.Outlines`.

    Parameters
    ----------
    flat
        Runs (y, x_start, x_stop) of footprint after footprint, sorted; no two of a row touch.
    bounds
        The runs of footprint k are `flat[bounds[k] : bounds[k + 1]]`.
    origin_y, origin_x
        Taken from all corners.

    Returns
    -------
    Code of all footprints, and its bounds.
    """
    n_footprints = len(bounds) - 1
    most = np.int64(0)
    for k in range(n_footprints):
        most = max(most, bounds[k + 1] - bounds[k])
    # A run has two sides, a side two ends, and a ring four corners at least.
    corners = np.empty((4 * most, _N_COLUMNS), dtype=np.int32)
    rings = np.empty((most, 3), dtype=np.int32)
    sides = np.empty((4, 2 * most), dtype=np.int32)
    code = np.empty(24 * len(bounds), dtype=np.int32)
    code_bounds = np.zeros(len(bounds), dtype=np.int64)
    n = 0
    for k in range(n_footprints):
        n_corners, has_twins = _find_corners(flat[bounds[k] : bounds[k + 1]], corners, sides)
        if has_twins:
            _part_twins(corners[:n_corners])
        n_rings, n_polygons = _find_rings(corners[:n_corners], rings)
        if n_polygons > 1:
            _group(rings[:n_rings], n_polygons)
        room = n + n_corners + RING_HEAD * n_rings
        if room > len(code):
            larger = np.empty(2 * room, dtype=np.int32)
            larger[:n] = code[:n]
            code = larger
        for r in range(n_rings):
            n = _write(corners, rings[r, _FIRST], rings[r, _IS_HOLE] == 1, code, n, origin_y, origin_x)
        code_bounds[k + 1] = n
    return code[:n], code_bounds


@kernel
def _find_corners(runs: Int32, corners: Int32, sides: Int32) -> tuple[int, bool]:
    """Find and join the corners of one footprint, in reading order; returns how many, and whether some are twins.

    sides
        Room for x of the sides of the row above and of this row, and the corner above each.
    """
    above, above_top, here, here_top = sides[0], sides[1], sides[2], sides[3]
    n, n_above, i, line = 0, 0, 0, 0
    has_twins = False
    while i < len(runs) or n_above > 0:
        line = line + 1 if n_above > 0 else runs[i, 0]
        n_here = 0
        while i < len(runs) and runs[i, 0] == line:
            here[n_here], here[n_here + 1] = runs[i, 1], runs[i, 2]
            n_here += 2
            i += 1
        a, h, waiting = 0, 0, -1
        while a < n_above or h < n_here:
            n_new = 1
            if h == n_here or (a < n_above and above[a] < here[h]):
                _new_corner(corners, n, line, above[a])
                _join_sides(corners, above_top[a], n)
                a += 1
            elif a == n_above or here[h] < above[a]:
                _new_corner(corners, n, line, here[h])
                here_top[h] = n
                if h % 2 == 1:
                    corners[n, _LEFT] = here_top[h - 1]
                h += 1
            elif a % 2 == h % 2:  # a side goes on
                here_top[h] = above_top[a]
                a += 1
                h += 1
                continue
            else:
                n_new, has_twins = 2, True
                _new_corner(corners, n, line, here[h])
                _new_corner(corners, n + 1, line, here[h])
                corners[n, _TWIN], corners[n + 1, _TWIN] = n + 1, n
                # The first is joined to the left; its pixel is above where a run ends above.
                upper, lower = (n, n + 1) if a % 2 == 1 else (n + 1, n)
                _join_sides(corners, above_top[a], upper)
                here_top[h] = lower
                if h % 2 == 1:
                    corners[n, _LEFT] = corners[n + 1, _LEFT] = here_top[h - 1]
                a += 1
                h += 1
            for corner in range(n, n + n_new):
                if waiting >= 0:
                    corners[waiting, _ALONG_X], corners[corner, _ALONG_X] = corner, waiting
                    waiting = -1
                else:
                    waiting = corner
            n += n_new
        above, here = here, above
        above_top, here_top = here_top, above_top
        n_above = n_here
    return n, has_twins


@kernel
def _new_corner(corners: Int32, n: int, y: int, x: np.int32) -> None:
    corners[n, _Y], corners[n, _X] = y, x
    corners[n, _TWIN] = corners[n, _LEFT] = corners[n, _RING] = -1


@kernel
def _join_sides(corners: Int32, top: int, bottom: int) -> None:
    corners[top, _ALONG_Y], corners[bottom, _ALONG_Y] = bottom, top


@kernel
def _part_twins(corners: Int32) -> None:
    """Exchange the sides of twins on one ring; afterwards only these are known as twins."""
    n_rings = 0
    for corner in range(len(corners)):
        if corners[corner, _RING] < 0:
            _mark(corners, corner, n_rings)
            n_rings += 1
    for corner in range(len(corners)):
        twin = corners[corner, _TWIN]
        if twin > corner:
            if corners[corner, _RING] == corners[twin, _RING]:
                mine, other = corners[corner, _ALONG_Y], corners[twin, _ALONG_Y]
                _join_sides(corners, corner, other)
                _join_sides(corners, twin, mine)
            else:
                corners[corner, _TWIN] = corners[twin, _TWIN] = -1
    corners[:, _RING] = -1


@kernel
def _mark(corners: Int32, first: int, ring: int) -> None:
    """Mark the corners of a ring."""
    corner = first
    while corners[corner, _RING] < 0:
        corners[corner, _RING] = ring
        corner = corners[corner, _ALONG_X]
        corners[corner, _RING] = ring
        corner = corners[corner, _ALONG_Y]


@kernel
def _find_rings(corners: Int32, rings: Int32) -> tuple[int, int]:
    """Find the rings in the order of their first corners, and their polygons; returns how many of each.

    The first corner of a ring in reading order has the ring to its right and below. If a run ends there, the ring is a
    hole, of the polygon that the left end of the run lies on: that ring begins earlier.
    """
    n_rings = n_polygons = 0
    for corner in range(len(corners)):
        if corners[corner, _RING] >= 0:
            continue
        left = corners[corner, _LEFT]
        if left >= 0:
            twin = corners[left, _TWIN]
            polygon = corners[twin if twin >= 0 else left, _RING]
        else:
            polygon = n_polygons
            n_polygons += 1
        _mark(corners, corner, polygon)
        rings[n_rings, _FIRST] = corner
        rings[n_rings, _POLYGON] = polygon
        rings[n_rings, _IS_HOLE] = left >= 0
        n_rings += 1
    return n_rings, n_polygons


@kernel
def _group(rings: Int32, n_polygons: int) -> None:
    """Sort rings by polygon; those of one polygon keep their order, its outer ring is their first."""
    place = np.zeros(n_polygons + 1, dtype=np.int64)
    for r in range(len(rings)):
        place[rings[r, _POLYGON] + 1] += 1
    for polygon in range(n_polygons):
        place[polygon + 1] += place[polygon]
    before = rings.copy()
    for r in range(len(rings)):
        polygon = before[r, _POLYGON]
        rings[place[polygon]] = before[r]
        place[polygon] += 1


@kernel
def _write(
    corners: Int32, first: int, is_hole: bool, code: Int32, n: int, origin_y: int, origin_x: int
) -> int:
    """Write one ring behind the n numbers of code; returns how many there are then."""
    code[n], code[n + 1] = corners[first, _Y] - origin_y, corners[first, _X] - origin_x
    head = n + 2
    n += RING_HEAD
    along_x = not is_hole
    corner = first
    while True:
        link, axis = (_ALONG_X, _X) if along_x else (_ALONG_Y, _Y)
        following = corners[corner, link]
        code[n] = corners[following, axis] - corners[corner, axis]
        n += 1
        corner = following
        along_x = not along_x
        if corner == first:
            break
    n_moves = n - head - 1
    code[head] = -n_moves if is_hole else n_moves
    return n
