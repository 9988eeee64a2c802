"""cells.parquet: the outlines of all cells as GeoParquet 1.1, in the order of the table's rows.

Specification: https://geoparquet.org/releases/v1.1.0/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.tables.images import CellImages
from isthmus.tables.outline_pieces import OutlineBatch, OutlinePieces
from isthmus.tables.wkb import Geometries, encode, measure

Float64 = npt.NDArray[np.float64]

ROWS_OF_A_GROUP = 8192
"""Outlines that are in memory at a time, and rows of a row group."""

_GEO_VERSION = "1.1.0"
_BOX = ("xmin", "ymin", "xmax", "ymax")
_BOX_FIELDS = [pa.field(name, pa.float64(), nullable=False) for name in _BOX]
_INDEX = "cell"
_Z_COLUMNS = ("z_min_um", "z_max_um")


def write_outlines(
    path: Path,
    pieces: OutlinePieces,
    *,
    sample: str,
    affine: Affine,
    z_step_um: float | None,
    images: CellImages | None = None,
) -> int:
    """Write the outlines, whole or not at all; returns how many.

    Parameters
    ----------
    sample
        Its name begins the names of the cells, which are those of the rows of cells.h5ad.
    affine
        Pixels to micrometres.
    z_step_um
        Of a volume; None for a plane. A volume's outlines are those of footprints, with columns for where they begin
        and end along z.
    images
        Of a sample that has many: each has its own affine, and a column says which it is.
    """
    is_volume = z_step_um is not None
    temporary = path.with_name(f"partial.{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    places = _Places(affine, images)
    schema = _schema(_geo_metadata(pieces, places), is_volume=is_volume, has_images=images is not None)
    statistics = ["instance_id", *(f"bbox.{name}" for name in _BOX), *(_Z_COLUMNS if is_volume else ())]
    try:
        with pq.ParquetWriter(
            temporary, schema, compression="zstd", use_dictionary=False, write_statistics=statistics
        ) as writer:
            for batch in pieces.batches(ROWS_OF_A_GROUP):
                geometries = places.encode(batch)
                columns = _columns(batch, geometries, sample)
                if images is not None:
                    columns["image"] = pa.array([images.names[i] for i in images.of(batch.ids)], pa.string())
                if z_step_um is not None:
                    columns |= _z_columns(batch, z_step_um)
                writer.write_batch(pa.record_batch([columns[name] for name in schema.names], schema=schema))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return int(pieces.ids.size)


class _Places:
    """Outlines in micrometres, whatever image they lie in."""

    def __init__(self, affine: Affine, images: CellImages | None) -> None:
        self._affine, self._images = affine, images

    def encode(self, batch: OutlineBatch) -> Geometries:
        """The geometries of a batch."""
        parts = [encode(code, bounds, origin, affine) for code, bounds, origin, affine in self._parts(batch)]
        if len(parts) == 1:
            return parts[0]
        ends = np.cumsum([part.wkb.size for part in parts])
        shifted = [part.bounds[1:] + end - part.wkb.size for part, end in zip(parts, ends, strict=True)]
        return Geometries(
            np.concatenate([part.wkb for part in parts]),
            np.concatenate([np.zeros(1, dtype=np.int64), *shifted]),
            np.concatenate([part.box for part in parts]),
        )

    def measure(self, batch: OutlineBatch) -> tuple[npt.NDArray[np.int64], Float64]:
        """Number of polygons and box of each outline of a batch."""
        parts = [measure(code, bounds, origin, affine) for code, bounds, origin, affine in self._parts(batch)]
        return np.concatenate([n for n, _ in parts]), np.concatenate([box for _, box in parts])

    def _parts(
        self, batch: OutlineBatch
    ) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int32], Affine]]:
        """Code, bounds and origins of the outlines of each image, and where it lies."""
        if self._images is None:
            yield batch.code, batch.bounds, batch.origin, self._affine
            return
        for image, part in self._images.stretches(batch.ids):
            bounds = batch.bounds[part.start : part.stop + 1]
            code = batch.code[bounds[0] : bounds[-1]]
            yield code, bounds - bounds[0], batch.origin[part], self._images.affines[image]


def _schema(geo: str, *, is_volume: bool, has_images: bool) -> pa.Schema:
    fields = [
        pa.field(_INDEX, pa.string(), nullable=False),
        pa.field("instance_id", pa.int64(), nullable=False),
        *([pa.field("image", pa.string(), nullable=False)] if has_images else []),
        pa.field("geometry", pa.binary(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in (_Z_COLUMNS if is_volume else ())),
        pa.field("bbox", pa.struct(_BOX_FIELDS), nullable=False),
    ]
    return pa.schema(fields, metadata={"geo": geo, "pandas": _pandas_metadata(fields)})


def _pandas_metadata(fields: list[pa.Field]) -> str:
    """Tells pandas which column is the index."""
    kinds = {
        "string": ("unicode", "object"),
        "binary": ("bytes", "object"),
        "int64": ("int64", "int64"),
        "double": ("float64", "float64"),
    }
    columns = []
    for field in fields:
        pandas_type, numpy_type = kinds.get(str(field.type), ("object", "object"))
        names = {"name": field.name, "field_name": field.name}
        columns.append(names | {"pandas_type": pandas_type, "numpy_type": numpy_type, "metadata": None})
    known = {"index_columns": [_INDEX], "column_indexes": [], "columns": columns, "pandas_version": None}
    return json.dumps(known)


def _geo_metadata(pieces: OutlinePieces, places: _Places) -> str:
    """What makes Parquet GeoParquet. It stands at the file's head, so all outlines are looked at first."""
    kinds: set[str] = set()
    boxes = []
    for batch in pieces.batches(ROWS_OF_A_GROUP):
        n_polygons, box = places.measure(batch)
        kinds |= {"MultiPolygon" if many else "Polygon" for many in np.unique(n_polygons > 1)}
        boxes.append([*box[:, :2].min(axis=0), *box[:, 2:].max(axis=0)])
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted(kinds),
        "crs": None,
        "orientation": "counterclockwise",
        "edges": "planar",
        "covering": {"bbox": {name: ["bbox", name] for name in _BOX}},
    }
    if boxes:
        box = np.array(boxes)
        column["bbox"] = [*box[:, :2].min(axis=0).tolist(), *box[:, 2:].max(axis=0).tolist()]
    geo = {"version": _GEO_VERSION, "primary_column": "geometry", "columns": {"geometry": column}}
    return json.dumps(geo)


def _columns(batch: OutlineBatch, geometries: Geometries, sample: str) -> dict[str, pa.Array]:
    if geometries.bounds[-1] > np.iinfo(np.int32).max:
        raise UserError(
            where="cells.parquet",
            found=f"the outlines of {batch.ids.size} cells have more than 2 GiB: these are no cells",
            do="look at the labels",
        )
    offsets = pa.py_buffer(geometries.bounds.astype(np.int32))
    buffers = [None, offsets, pa.py_buffer(geometries.wkb)]
    box = [pa.array(np.ascontiguousarray(geometries.box[:, i])) for i in range(len(_BOX))]
    return {
        _INDEX: pa.array([f"{sample}-{i}" for i in batch.ids.tolist()], pa.string()),
        "instance_id": pa.array(batch.ids),
        "geometry": pa.Array.from_buffers(pa.binary(), batch.ids.size, buffers),
        "bbox": pa.StructArray.from_arrays(box, fields=_BOX_FIELDS),
    }


def _z_columns(batch: OutlineBatch, z_step_um: float) -> dict[str, pa.Array]:
    first, last = batch.z[:, 0], batch.z[:, 1]
    return {"z_min_um": pa.array(first * z_step_um), "z_max_um": pa.array((last + 1) * z_step_um)}
