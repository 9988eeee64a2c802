"""Counts of the transcripts of one block: per cell and feature, and the cell of every transcript."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region
from isthmus.quantify.points import read_block

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

NUCLEUS, CYTOPLASM = 1, 2


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
    """Sparse counts of a block, and the instance of every transcript that has one.

    Parameters
    ----------
    folder
        Binned transcripts.
    write
        Write region of the block.
    cells, nuclei
        Numbers 1..n of the write region, 0 = background, axes z, y, x.
    ids
        Instance id of each number, increasing.
    n_features
        Features of the whole sample.
    min_qv
        Transcripts below are counted apart.

    Returns
    -------
    dict
        counts: rows (id, feature, good and in nucleus, good and in cytoplasm, low quality), int64.
        point_row, point_id, point_compartment: of every transcript in a cell.
    """
    points = read_block(folder, write)
    z = points.z - write.start[0] if cells.shape[0] > 1 else np.zeros_like(points.z)
    place = (z, points.y - write.start[1], points.x - write.start[2])
    number = cells[place]
    inside = number > 0
    in_nucleus = nuclei[place][inside] > 0
    number, feature = number[inside].astype(np.int64), points.gene[inside].astype(np.int64)
    good = points.qv[inside] >= min_qv
    keys, where = np.unique(number * n_features + feature, return_inverse=True)
    columns = [
        np.bincount(where, weights=mask, minlength=keys.size).astype(np.int64)
        for mask in (good & in_nucleus, good & ~in_nucleus, ~good)
    ]
    counts = np.column_stack([ids[keys // n_features - 1], keys % n_features, *columns])
    return {
        "counts": counts.astype(np.int64).reshape(-1, 5),
        "point_row": points.row[inside],
        "point_id": ids[number - 1],
        "point_compartment": np.where(in_nucleus, NUCLEUS, CYTOPLASM).astype(np.uint8),
    }
