"""What pass 2 leaves of the outlines of one block: those that are whole, and the runs of those that may not be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.quantify.outlines import trace_outlines
from isthmus.quantify.runs import pixel_runs, seam_instances

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


def outline_record(
    cells: Int32, ids: Int64, *, write: Region, image_shape: Triple, runs: Int32 | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The part of a block's record that outlines are made of.

    Parameters
    ----------
    cells
        Instances (z, y, x) of the write region as numbers; number k has the id `ids[k - 1]`, and ids ascend.
    runs
        Their runs, where they are known: see `quantify.runs.pixel_runs`.

    Returns
    -------
    outline_id, outline_z, outline_size, outline_code
        Instances that do not touch a seam: id, first and last plane, how many numbers of the code are theirs, and the
        code (see `quantify.outlines.Outlines`) with corners relative to outline_origin (y, x).
    run_id, run_px
        Runs of the instances that do: id, and (runs, 4) z, y, x_start, x_stop.
    """
    if runs is None:
        runs = pixel_runs(cells, write=write)
    touches = seam_instances(cells, ids.size, write=write, image_shape=image_shape)
    at_seam = touches[runs[:, 0] - 1]
    border = runs.compress(at_seam, axis=0)
    origin = (write.start[1], write.start[2])
    whole = trace_outlines(runs.compress(~at_seam, axis=0), origin=origin)
    return {
        "outline_id": ids[whole.number - 1],
        "outline_z": whole.z,
        "outline_size": np.diff(whole.bounds),
        "outline_code": whole.code,
        "outline_origin": np.array(origin, dtype=np.int32),
        "run_id": ids[border[:, 0] - 1],
        "run_px": border[:, 1:],
    }
