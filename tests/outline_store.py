"""cells.parquet of a label image that is cut into blocks, in this process, as the jobs make it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.arrays import arrays_from_bytes, arrays_to_bytes
from isthmus.blocks.grid import Grid, Triple
from isthmus.image.affine import Affine
from isthmus.quantify.outline_record import outline_record
from isthmus.tables.outline_pieces import OutlinePieces
from isthmus.tables.outlines import write_outlines

PIXELS = Affine.from_size(1.0)

Record = dict[str, npt.NDArray[Any]]


def outline_records(
    labels: npt.NDArray[Any], block_px: Triple, order: Sequence[int] | None = None
) -> Iterator[Record]:
    """Block records of the outlines of a label image (z, y, x), the blocks in this order."""
    grid = Grid(labels.shape, block_px)  # type: ignore[arg-type]
    for index in range(grid.n_blocks) if order is None else order:
        write = grid.block(int(index)).write
        part = labels[write.slices]
        ids = np.unique(part[part > 0]).astype(np.int64)
        numbers = np.where(part > 0, np.searchsorted(ids, part) + 1, 0).astype(np.int32)
        record = outline_record(numbers, ids, write=write, image_shape=grid.shape)
        yield arrays_from_bytes(arrays_to_bytes(record))


def write_cells(
    folder: Path,
    labels: npt.NDArray[Any],
    block_px: Triple | None = None,
    *,
    order: Sequence[int] | None = None,
    affine: Affine = PIXELS,
    z_step_um: float = 2.0,
) -> Path:
    """Write cells.parquet of a label image (z, y, x)."""
    records = outline_records(labels, block_px or labels.shape, order)  # type: ignore[arg-type]
    pieces = OutlinePieces(folder / "pieces", records)
    step = z_step_um if labels.shape[0] > 1 else None
    path = folder / "cells.parquet"
    n = write_outlines(path, pieces, sample="a", affine=affine, z_step_um=step)
    assert n == np.unique(labels[labels > 0]).size
    return path
