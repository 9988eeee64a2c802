"""Transcripts as the import leaves them, made of pixels instead of micrometres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Triple
from isthmus.quantify.binning import sort_by_tile
from isthmus.quantify.points import TILE_PX, empty_points, lattice_of, save_run

Columns = dict[str, npt.NDArray[np.generic]]


def bin_points(folder: Path, columns: Columns, shape: Triple, *, runs: int = 1) -> None:
    """Write transcripts in so many runs.

    Parameters
    ----------
    columns
        y, x and gene of each row of the input; z and qv where there are any.
    shape
        Shape (z, y, x) of the image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lattice = lattice_of(shape)
    for run, rows in enumerate(np.array_split(np.arange(columns["y"].size), runs)):
        if not rows.size:
            continue
        pixel = [
            np.asarray(columns.get(name, np.zeros(columns["y"].size)))[rows].astype(int) for name in "zyx"
        ]
        points, out = empty_points(rows.size), empty_points(rows.size)
        points["row"] = rows - rows[0]
        points["feature"] = columns["gene"][rows]
        points["qv"] = columns["qv"][rows] if "qv" in columns else np.inf
        points["z"], points["y"], points["x"] = pixel[0], pixel[1] % TILE_PX[1], pixel[2] % TILE_PX[2]
        place = [p // t for p, t in zip(pixel, TILE_PX, strict=True)]
        tile = ((place[0] * lattice[1] + place[1]) * lattice[2] + place[2]).astype(np.int32)
        starts = np.zeros(int(np.prod(lattice)) + 1, dtype=np.int64)
        sort_by_tile(points, tile, starts, out)
        save_run(
            folder / f"run-{run:05d}.bin",
            out,
            starts,
            lattice=lattice[1:],
            first_row=int(rows[0]),
            n_rows=rows.size,
        )
