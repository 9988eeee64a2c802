"""Counts of the transcripts of one block: per cell and feature, and the cell of every transcript."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region
from isthmus.quantify.points import Run, Segment, empty_points, segments
from isthmus.quantify.tally import assign, count_features

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


def count_points(
    folder: Path,
    write: Region,
    cells: Int32,
    nuclei: Int32,
    ids: Int64,
    *,
    n_features: int,
    min_qv: float,
) -> dict[str, npt.NDArray[np.generic]]:
    """Sparse counts of a block, and the cell of each of its transcripts.

    Parameters
    ----------
    folder
        Binned transcripts.
    write
        Write region of the block.
    cells, nuclei
        Numbers 1..n of the write region, 0 = background, axes z, y, x, C order.
    ids
        Instance id of each number, increasing.
    n_features
        Features of the whole sample; their codes are below.
    min_qv
        Transcripts below, or without a quality, are of low quality.

    Returns
    -------
    dict
        point_ids: `ids`. point_code: of every transcript in the block, in the order of `segments`, 0 for none,
        else 2 x number + 1 in the nucleus and 2 x number elsewhere in the cell. count_low: transcripts of low quality
        of each number. count_entries: different features of each number among the others; count_feature, count_nucleus,
        count_cytoplasm: these features and their counts, one number after the other. All unsigned, as narrow as their
        values allow.
    """
    return _count(list(segments(folder, write)), write, cells, nuclei, ids, n_features, min_qv)


def _count(
    found: Sequence[Segment],
    write: Region,
    cells: Int32,
    nuclei: Int32,
    ids: Int64,
    n_features: int,
    min_qv: float,
) -> dict[str, npt.NDArray[np.generic]]:
    n = sum(segment.points.size for segment in found)
    code, feature = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    n_of = np.zeros((ids.size + 1, 2), dtype=np.int64)
    n = 0
    for part in found:
        n = assign(
            *(part.points, part.tiles, part.first, part.run.lattice, write.start, cells, nuclei, min_qv),
            *(code, feature, n_of, n),
        )
    code, feature = code[:n], feature[:n]
    n_of[0] = 0
    n_low, n_good = n_of[:, 0], np.ascontiguousarray(n_of[:, 1])
    entries = np.zeros(ids.size + 1, dtype=np.int64)
    room = int(n_good.sum())
    features, counts = np.empty(room, dtype=np.int32), np.empty((room, 2), dtype=np.int32)
    n_entries = count_features(code, feature, n_good, n_features, entries, features, counts)
    return {
        "point_ids": ids,
        "point_code": narrow(code),
        "count_low": narrow(n_low[1:]),
        "count_entries": narrow(entries[1:]),
        "count_feature": narrow(features[:n_entries]),
        "count_nucleus": narrow(counts[:n_entries, 1]),
        "count_cytoplasm": narrow(counts[:n_entries, 0]),
    }


def warm_counts(cells: Int32, nuclei: Int32) -> None:
    """Load or compile the kernels: count no transcript of a small block."""
    points, tiles = empty_points(0), np.empty(0, dtype=np.int64)
    points.setflags(write=False)  # as what is mapped from a file
    tiles.setflags(write=False)
    run = Run(Path(), 0, 0, (1, 1), tiles, tiles, points)
    none = Segment(run, 0, tiles, np.zeros(1, dtype=np.int64), points)
    _count(
        [none], Region((0, 0, 0), (1, 8, 8)), cells, nuclei, np.empty(0, np.int64), n_features=1, min_qv=0.0
    )


def narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same whole numbers, none negative, in the narrowest unsigned type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
