"""Outlines of cells as tables of vertices: a row a vertex, those of a cell one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from isthmus.errors import UserError
from isthmus.image.source import PolygonsPart
from isthmus.readers.polygons import Named, batch_of_rings, polygons_part

PLANE_FILES = "z*_polygons.*"
"""A table a plane, as Giotto keeps MERSCOPE's outlines: x, y, poly_ID."""

_TYPES = {"x": pa.float64(), "y": pa.float64(), "poly_ID": pa.string()}


def open_vertex_tables(folder: Path, where: str) -> PolygonsPart:
    """Outlines in tables x, y, poly_ID (CSV or gzip), one file a plane: z0_polygons.gz, z1_polygons.gz, ..."""
    where = f"{where}, polygons '{folder}'"
    files = {_plane(path): path for path in sorted(folder.glob(PLANE_FILES))}
    if not files:
        found = "there are no files " + PLANE_FILES
        raise UserError(where=where, found=found, do="name the folder with the outlines")
    return polygons_part(
        partial(_named, files, where), partial(_names, files, where), tuple(files.values()), where
    )


def _plane(path: Path) -> int:
    match = re.match(r"z(\d+)_", path.name)
    return int(match.group(1)) if match else 0


def _names(files: Mapping[int, Path], where: str) -> list[str]:
    return [name for path in files.values() for name, _, _ in _outlines(path, where)]


def _named(files: Mapping[int, Path], where: str) -> Named:
    for plane, path in files.items():
        found = list(_outlines(path, where))
        rings = [[np.column_stack([x, y])] for _, x, y in found]
        yield (
            [name for name, _, _ in found],
            batch_of_rings(np.full(len(rings), plane, dtype=np.int64), rings),
        )


def _outlines(
    path: Path, where: str
) -> Iterator[tuple[str, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Name, x and y of each outline; a run of rows with one name is one."""
    try:
        with pa.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else None) as stream:
            table = pyarrow.csv.read_csv(
                stream,
                convert_options=pyarrow.csv.ConvertOptions(include_columns=list(_TYPES), column_types=_TYPES),
            )
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        found = f"{path.name} is no table with columns {', '.join(_TYPES)} ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error
    names = np.array(table.column("poly_ID").to_pylist(), dtype=object)
    x, y = (table.column(name).to_numpy() for name in ("x", "y"))
    begins = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist()] if names.size else []
    for begin, end in zip(begins, [*begins[1:], names.size], strict=True):
        yield str(names[begin]), x[begin:end], y[begin:end]
