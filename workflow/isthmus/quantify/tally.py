"""Kernels that give every transcript of a block its cell and count features in cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.points import TILE_PX

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_TILE_Y, _TILE_X = TILE_PX[1:]
_AT_ONCE = 256


@kernel
def assign(
    points: npt.NDArray[Any],
    tiles: Int64,
    first: Int64,
    lattice: tuple[int, int],
    start: tuple[int, int, int],
    cells: Int32,
    nuclei: Int32,
    min_qv: float,
    code: Int32,
    feature: Int32,
    n_of: Int64,
    n: int,
) -> int:
    """Look up the cell under each transcript of a segment.

    Parameters
    ----------
    points, tiles, first, lattice
        The segment, and the tiles down and across of its run.
    start
        First pixel (z, y, x) of the block.
    cells, nuclei
        Numbers (z, y, x) of the block, 0 = background, in C order.
    min_qv
        Transcripts below, or without a quality, count as low.
    code
        Filled from n on, for every transcript in the block: 2 x number + 1 in a nucleus, 2 x number elsewhere in a
        cell, 0 in none.
    feature
        Filled alike: 2 x feature + 1 in a nucleus, 2 x feature elsewhere; -1 where it is not counted.
    n_of
        (numbers, 2), added to: transcripts of low quality and others of each number; those of 0 are in no cell.

    Returns
    -------
    int
        n afterwards.
    """
    nz, ny, nx = cells.shape
    all_cells, all_nuclei = cells.reshape(-1), nuclei.reshape(-1)
    place, which = np.empty(_AT_ONCE, dtype=np.int64), np.empty(_AT_ONCE, dtype=np.int64)
    number, core = np.empty(_AT_ONCE, dtype=np.int32), np.empty(_AT_ONCE, dtype=np.int32)
    for k in range(tiles.size):
        corner_y = tiles[k] // lattice[1] % lattice[0] * _TILE_Y - start[1]
        corner_x = tiles[k] % lattice[1] * _TILE_X - start[2]
        for begin in range(first[k], first[k + 1], _AT_ONCE):
            m = 0
            for i in range(begin, min(begin + _AT_ONCE, first[k + 1])):
                point = points[i]
                z, y, x = np.int64(point.z) - start[0], corner_y + point.y, corner_x + point.x
                inside = (z >= 0) & (z < nz) & (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
                place[m], which[m] = (z * ny + y) * nx + x, i
                m += int(inside)
            # Labels come from far in memory. A loop that does nothing else has many of them on their way at a time:
            # all in one loop takes twice as long.
            for j in range(m):
                number[j], core[j] = all_cells[np.uint64(place[j])], all_nuclei[np.uint64(place[j])]
            for j in range(m):
                point = points[which[j]]
                in_cell = np.int32(number[j] > 0)
                in_nucleus = np.int32(core[j] > 0) & in_cell
                good = np.int32(point.qv >= min_qv)
                code[n] = 2 * number[j] + in_nucleus
                n_of[np.uint64(number[j]), np.uint64(good)] += 1
                # Without a branch, as each of the two is hard to foresee: x | 0 is x, x | -1 is -1.
                feature[n] = (2 * point.feature + in_nucleus) | ((in_cell & good) - 1)
                n += 1
    return n


@kernel
def count_features(
    code: Int32,
    feature: Int32,
    n_good: Int64,
    n_features: int,
    n_entries: Int64,
    out_feature: Int32,
    out_counts: Int32,
) -> int:
    """Count the features of each cell.

    Parameters
    ----------
    code, feature
        As `assign` filled them.
    n_good
        Transcripts to count of each number, none of number 0.
    n_features
        Feature codes are below.
    n_entries
        Filled: different features of each number.
    out_feature, out_counts
        Filled: features of the cells, one cell after the other, and (entries, 2) their counts elsewhere in the cell and
        in its nucleus. There is room for one entry a transcript.

    Returns
    -------
    int
        Entries in all.
    """
    place = np.empty(n_good.size, dtype=np.int64)
    total = 0
    for number in range(n_good.size):
        place[number] = total
        total += n_good[number]
    rows = np.empty(total, dtype=np.int32)
    for i in range(code.size):
        if feature[i] >= 0:
            number = code[i] >> 1
            rows[place[number]] = feature[i]
            place[number] += 1
    entry_of = np.full(n_features, -1, dtype=np.int64)
    n, begin = 0, 0
    for number in range(n_good.size):
        n_before = n
        for i in range(begin, begin + n_good[number]):
            which = rows[i] >> 1
            entry = entry_of[which]
            if entry < n_before:
                entry = n
                entry_of[which] = n
                out_feature[n] = which
                out_counts[n, 0] = 0
                out_counts[n, 1] = 0
                n += 1
            out_counts[entry, rows[i] & 1] += 1
        begin += n_good[number]
        n_entries[number] = n - n_before
    return n


@kernel
def unfold(
    points: npt.NDArray[Any],
    tiles: Int64,
    first: Int64,
    lattice: tuple[int, int],
    start: tuple[int, int, int],
    stop: tuple[int, int, int],
    code: Int32,
    state_of: npt.NDArray[Any],
    state: npt.NDArray[Any],
    n: int,
) -> int:
    """Go through a segment as `assign` does, and give each transcript in the block the state of its code.

    start, stop are the block's first pixel and the one beyond its last; state (one a transcript of the segment) is
    filled where the transcript is in the block. Returns how many codes that takes, of which there may be too few.
    """
    for k in range(tiles.size):
        corner_y = tiles[k] // lattice[1] % lattice[0] * _TILE_Y
        corner_x = tiles[k] % lattice[1] * _TILE_X
        for i in range(first[k], first[k + 1]):
            point = points[i]
            z, y, x = np.int64(point.z), corner_y + point.y, corner_x + point.x
            if z < start[0] or z >= stop[0] or y < start[1] or y >= stop[1] or x < start[2] or x >= stop[2]:
                continue
            if n < code.size:
                state[i] = state_of[code[n]]
            n += 1
    return n


@kernel
def by_row(
    points: npt.NDArray[Any],
    state: npt.NDArray[Any],
    ids: Int64,
    instance_id: Int64,
    compartment: npt.NDArray[np.int8],
    inside: npt.NDArray[np.bool_],
) -> None:
    """Put the states of a run's transcripts in the order of the input.

    Parameters
    ----------
    points, state
        The transcripts and the state of each: 0 in no block, 1 in no cell, 2 k + 2 in the cytoplasm and 2 k + 3 in the
        nucleus of the cell of place k.
    ids
        Id of each cell's place.
    instance_id, compartment, inside
        Filled, one a row of the input: id; 0 none, 1 nucleus, 2 cytoplasm; whether the row lies in the window.
    """
    for i in range(points.size):
        row = points[i].row
        found = state[i]
        inside[row] = found > 0
        if found > 1:
            instance_id[row] = ids[(found - 2) >> 1]
            compartment[row] = 1 if found & 1 else 2
