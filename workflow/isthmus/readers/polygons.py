"""Outlines of cells in the forms that vendors write: Parquet with WKB, HDF5 of MERSCOPE, tables of vertices.

Read batch by batch. A vendor's name of a cell is its instance id where it is a whole number of up to 63 bits, otherwise
cells are numbered from 1 in the order of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader, PolygonBatch, PolygonsPart

Int64 = npt.NDArray[np.int64]
Named = Iterator[tuple[list[str], PolygonBatch]]
"""Batches of polygons without ids, each with the names of its cells."""

HDF5_FILES = "feature_data_*.hdf5"
_GROUP = "featuredata"
_BATCH = 4096
_MOST = (1 << 63) - 1
_CELL = ("EntityID", "cell_id", "ID")
_PLANE = ("ZIndex", "z_index")
_SHAPE = ("Geometry", "geometry")


def open_polygons(path: Path, where: str) -> PolygonsPart:
    """Outlines in a Parquet file, a folder of HDF5 files, or one HDF5 file."""
    where = f"{where}, polygons '{path}'"
    if path.suffix == ".parquet":
        return polygons_part(
            partial(_parquet, path, where), partial(_parquet_names, path, where), (path,), where
        )
    files = tuple(sorted(path.glob(HDF5_FILES))) if path.is_dir() else (path,)
    if not files or any(file.suffix != ".hdf5" for file in files):
        raise UserError(
            where=where,
            found="there are no polygons that Isthmus reads",
            do=f"name a Parquet file with columns EntityID, ZIndex and Geometry, or a folder with {HDF5_FILES}",
        )
    part = polygons_part(partial(_hdf5, files, where), partial(_hdf5_names, files, where), files, where)
    return replace(part, tested_on_real_files=False)


def is_polygons(path: Path) -> bool:
    """Whether a path of the sample sheet names polygons, not a label image."""
    if path.is_dir():
        return any(path.glob(HDF5_FILES))
    return path.suffix == ".parquet" or (path.suffix == ".hdf5" and _holds_polygons(path))


def _holds_polygons(path: Path) -> bool:
    """Whether an HDF5 file has MERSCOPE's group of polygons; volumes are stored in HDF5 too."""
    try:
        with h5py.File(path, mode="r") as file:
            return _GROUP in file
    except OSError:
        return False


def polygons_part(
    named: Callable[[], Named], names: Callable[[], list[str]], files: tuple[Path, ...], where: str
) -> PolygonsPart:
    """Polygons whose cells get instance ids by their names."""
    found = names()
    if not found:
        raise UserError(where=where, found="there are no polygons", do="name the file that holds them")
    if all(is_id(name) for name in found):
        return PolygonsPart(partial(with_ids, named, None), files)
    return PolygonsPart(partial(with_ids, named, names), files, names=partial(by_id, names))


def is_id(name: str) -> bool:
    """Whether a name can be an instance id as it is."""
    return name.isascii() and name.isdigit() and 0 < int(name) <= _MOST


def numbered(names: Iterable[str]) -> dict[str, int]:
    """Instance ids of names that are none themselves: from 1, in their order."""
    return {name: number for number, name in enumerate(sorted(set(names)), start=1)}


def by_id(names: Callable[[], list[str]]) -> dict[int, str]:
    """Names of cells by instance id, where the name is none itself."""
    return {number: name for name, number in numbered(names()).items()}


def with_ids(named: Callable[[], Named], names: Callable[[], list[str]] | None) -> Iterator[PolygonBatch]:
    """Batches with the instance ids of their cells; names is None where they are ids themselves."""
    ids_of = numbered(names()) if names else None
    for cells, batch in named():
        ids = [int(cell) if ids_of is None else ids_of[cell] for cell in cells]
        yield PolygonBatch(
            np.array(ids, dtype=np.int64), batch.planes, batch.first_ring, batch.first_vertex, batch.xy_um
        )


def batch_of(planes: Int64, polygons: npt.NDArray[np.object_]) -> PolygonBatch:
    """A batch of shapely polygons (with holes, or of several parts), still without ids."""
    parts, polygon = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy_um, ring = shapely.get_coordinates(rings, return_index=True)
    n_rings = np.bincount(polygon[part], minlength=polygons.size)
    return PolygonBatch(
        np.zeros(polygons.size, dtype=np.int64),
        planes,
        _firsts(n_rings),
        _firsts(np.bincount(ring, minlength=rings.size)),
        xy_um,
    )


def _firsts(sizes: npt.NDArray[np.integer]) -> Int64:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _parquet_columns(path: Path, where: str) -> tuple[str, str | None, str]:
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError) as error:
        found = f"the Parquet file is damaged or cut short ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error
    cell, plane, shape = (next((n for n in known if n in names), None) for known in (_CELL, _PLANE, _SHAPE))
    for column, known in ((cell, _CELL), (shape, _SHAPE)):
        if column is None:
            raise UserError(
                where=where,
                found=f"there is no column {' or '.join(known)} among {', '.join(names)}",
                do="name the Parquet file of outlines that the vendor's segmentation wrote",
            )
    assert cell is not None
    assert shape is not None
    return cell, plane, shape


def _parquet_names(path: Path, where: str) -> list[str]:
    cell, _, _ = _parquet_columns(path, where)
    column = pq.read_table(path, columns=[cell]).column(0)
    return [str(name) for name in column.unique().to_pylist()]


def _parquet(path: Path, where: str) -> Named:
    cell, plane, shape = _parquet_columns(path, where)
    columns = [name for name in (cell, plane, shape) if name]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
            try:
                polygons = shapely.from_wkb(batch.column(shape).to_numpy(zero_copy_only=False))
            except (shapely.errors.ShapelyError, TypeError) as error:
                found = f"column {shape} holds no outlines in WKB ({error})"
                raise UserError(where=where, found=found, do="copy it again from its source") from error
            there = ~(shapely.is_missing(polygons) | shapely.is_empty(polygons))
            planes = np.zeros(batch.num_rows, dtype=np.int64)
            if plane:
                planes = batch.column(plane).to_numpy(zero_copy_only=False).astype(np.int64)
            cells = [str(name) for name in batch.column(cell).to_pylist()]
            kept = [name for name, good in zip(cells, there.tolist(), strict=True) if good]
            yield kept, batch_of(planes[there], polygons[there])


def _hdf5_names(files: tuple[Path, ...], where: str) -> list[str]:
    names: list[str] = []
    for path in files:
        with _opened(path, where) as file:
            names += file[_GROUP].keys()
    return names


def _opened(path: Path, where: str) -> h5py.File:
    try:
        file = h5py.File(path, mode="r")
    except OSError as error:
        found = f"{path.name} is damaged or cut short ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error
    if _GROUP not in file:
        found = f"{path.name} has no group {_GROUP}, only {', '.join(file) or 'nothing'}"
        file.close()
        raise UserError(where=where, found=found, do="name the folder cell_boundaries of a MERSCOPE region")
    return file


def _hdf5(files: tuple[Path, ...], where: str) -> Named:
    """Group featuredata/<cell>/zIndex_<plane>/p_<part>/coordinates: rings x vertices x (x, y)."""
    for path in files:
        with _opened(path, where) as file:
            cells, planes, shapes = [], [], []
            for cell, feature in file[_GROUP].items():
                for name in (name for name in feature if name.startswith("zIndex_")):
                    rings = [
                        ring
                        for part in feature[name].values()
                        if "coordinates" in part
                        for ring in np.atleast_3d(part["coordinates"][()]).reshape(
                            -1, part["coordinates"].shape[-2], 2
                        )
                    ]
                    if rings:
                        cells.append(cell)
                        planes.append(int(name.removeprefix("zIndex_")))
                        shapes.append([ring for ring in rings if len(ring) > 2])
            yield cells, batch_of_rings(np.array(planes, dtype=np.int64), shapes)


def batch_of_rings(planes: Int64, polygons: list[list[npt.NDArray[np.float64]]]) -> PolygonBatch:
    """A batch of polygons as lists of rings (vertices x (x, y)), still without ids."""
    rings = [np.asarray(ring, dtype=np.float64) for polygon in polygons for ring in polygon]
    return PolygonBatch(
        np.zeros(len(polygons), dtype=np.int64),
        planes,
        _firsts(np.array([len(polygon) for polygon in polygons], dtype=np.int64)),
        _firsts(np.array([len(ring) for ring in rings], dtype=np.int64)),
        np.concatenate([np.empty((0, 2)), *rings]),
    )


def with_y_upwards(part: PolygonsPart) -> PolygonsPart:
    """The polygons with y negated: some tools store them in a frame whose y grows upwards."""
    return replace(part, batches=partial(_negated, part.batches))


def _negated(batches: Callable[[], Iterator[PolygonBatch]]) -> Iterator[PolygonBatch]:
    for batch in batches():
        yield PolygonBatch(
            batch.ids, batch.planes, batch.first_ring, batch.first_vertex, batch.xy_um * np.array([1.0, -1.0])
        )


def lies_upside_down(part: PolygonsPart, image: ImageHeader) -> bool:
    """Whether no polygon of the first batch reaches into the image, but would with y negated."""
    batch = next(part.batches(), None)
    if batch is None:
        return False
    as_given, negated = (
        _any_inside(image.affine, image.shape, batch.xy_um * np.array([1.0, sign])) for sign in (1.0, -1.0)
    )
    return negated and not as_given


def _any_inside(affine: Affine, shape: tuple[int, int, int, int], xy_um: npt.NDArray[np.float64]) -> bool:
    column, row = affine.to_px(xy_um[:, 0], xy_um[:, 1])
    return bool(((column >= 0) & (column < shape[3]) & (row >= 0) & (row < shape[2])).any())
