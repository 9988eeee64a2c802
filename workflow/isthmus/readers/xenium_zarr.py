"""transcripts.zarr.zip of Xenium: a zipped Zarr 2 store of transcripts, tile by tile.

Group `grids/0` has every transcript, in one group a tile (`<column>,<row>`, listed in the attribute
`grid_keys` of `grids`). Its arrays: `location` (n, 3), micrometres x, y, z; `quality_score` (n, 1);
`gene_identity` (n, 1), an index of the root's attribute `gene_names`. Levels above 0 are thinned copies.
There are no cells in it.
No real file has tested this. Sources:
* https://www.10xgenomics.com/support/software/xenium-onboard-analysis/latest/analysis/outputs/xoa-output-zarr
* the writer of https://github.com/gustaveroussy/sopa (sopa/io/explorer/points.py)
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zarr
from zarr.storage import ZipStore

from isthmus.errors import UserError
from isthmus.image.source import PointsPart
from isthmus.readers.points import check_not_empty, points_part

_COLUMNS = ("x_um", "y_um", "z_um", "gene", "qv")
_USE_A_TABLE = "use transcripts.parquet of the same folder"
# The name of a transcript whose number is beyond the list of names: its codeword belongs to no gene.
_NO_GENE = "UnassignedCodeword"
_BROKEN = (
    *(zipfile.BadZipFile, OSError, RuntimeError, KeyError, IndexError, ValueError, TypeError),
    *(pa.ArrowException, zarr.errors.BaseZarrError),
)


def open_zarr_points(path: Path, *, where: str) -> PointsPart:
    """Describe the transcripts of a zipped store."""
    where = f"{where}, transcripts '{path}'"
    part = points_part(partial(zarr_batches, path, where), _COLUMNS, (path,), where)
    check_not_empty(part, where)
    return part


def zarr_batches(path: Path, where: str, n: int) -> Iterator[pa.RecordBatch]:
    """One batch a tile, in the order in which the store lists its tiles."""
    if not zipfile.is_zipfile(path):
        found = "it is no readable zip, or cut short"
        raise UserError(where=where, found=found, do=_USE_A_TABLE)
    try:
        with ZipStore(path, mode="r") as store:
            root = zarr.open_group(store, mode="r", zarr_format=2)
            genes = pa.array([*map(str, root.attrs["gene_names"]), _NO_GENE], type=pa.string())
            for key in root["grids"].attrs["grid_keys"][0]:
                yield _tile(root[f"grids/0/{key}"], genes)
    except _BROKEN as error:
        found = f"its layout is not the one that Isthmus knows ({type(error).__name__}: {error})"
        raise UserError(where=where, found=found, do=_USE_A_TABLE) from error


def _tile(tile: Any, genes: pa.Array) -> pa.RecordBatch:
    location = np.asarray(tile["location"][:], dtype=np.float64)
    numbers = np.asarray(tile["gene_identity"][:]).reshape(-1).astype(np.int64)
    quality = np.asarray(tile["quality_score"][:], dtype=np.float32).reshape(-1)
    indices = np.minimum(numbers, len(genes) - 1).astype(np.int32)
    names = pa.DictionaryArray.from_arrays(pa.array(indices), genes)
    columns = [pa.array(np.ascontiguousarray(location[:, axis])) for axis in range(3)]
    return pa.RecordBatch.from_arrays([*columns, names, pa.array(quality)], names=list(_COLUMNS))
