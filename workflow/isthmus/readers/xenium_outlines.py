"""Outlines of Xenium's cells and nuclei: a row a vertex, those of an outline one after the other, in micrometres.

The vendor made them simpler than the masks that transcripts were assigned with, which only `cells.zarr.zip` holds:
https://www.10xgenomics.com/support/software/xenium-onboard-analysis/latest/analysis/outputs/xoa-output-zarr
A cell may have several nuclei, which `label_id` tells apart: https://github.com/scverse/spatialdata-io/pull/376
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from isthmus.errors import UserError
from isthmus.image.source import PolygonBatch, PolygonsPart
from isthmus.readers.polygons import Named, batch_of_rings, by_id, is_id, with_ids

CELLS = ("cell_boundaries.parquet", "cell_boundaries.csv.gz")
NUCLEI = ("nucleus_boundaries.parquet", "nucleus_boundaries.csv.gz")
_COLUMNS = ("cell_id", "vertex_x", "vertex_y")
_OF_SEVERAL = "label_id"
_BATCH_ROWS = 1 << 18
_BLOCK_BYTES = 4 << 20


def is_outlines(path: Path) -> bool:
    """Whether a path of the sample sheet names such a table, not a label image."""
    return path.name.endswith((".parquet", ".csv.gz", ".csv"))


def shows_nuclei(path: Path) -> bool:
    """Whether the outlines are those of nuclei, by the name of the file."""
    return path.name.startswith("nucleus_boundaries")


def open_outlines(path: Path, where: str) -> PolygonsPart:
    """Outlines with the vendor's names of the cells, which are ids before version 1.3.

    The file is opened when outlines are asked for: most runs have no use for it, nor should a damaged one stop them.

    Raises
    ------
    UserError
        On reading: the file is damaged, empty, or lacks a column.
    """
    where = f"{where}, outlines '{path}'"
    return PolygonsPart(partial(_with_ids, path, where), (path,), names=partial(_names_by_id, path, where))


def _with_ids(path: Path, where: str) -> Iterator[PolygonBatch]:
    names = _names(path, where)
    are_ids = all(is_id(name) for name in names)
    yield from with_ids(partial(_named, path, where), None if are_ids else lambda: names)


def _names_by_id(path: Path, where: str) -> dict[int, str]:
    """Names of cells by instance id; none where the names are the ids."""
    names = _names(path, where)
    return {} if all(is_id(name) for name in names) else by_id(lambda: names)


def _batches(path: Path, where: str) -> Iterator[pa.RecordBatch]:
    """Batches of the columns in use; names of cells are texts."""
    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                wanted = _wanted(file.schema_arrow.names, where)
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted):
                    yield _with_texts(batch)
            return
        compression = "gzip" if path.suffix == ".gz" else None
        read = pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
        types = pyarrow.csv.ConvertOptions(column_types={"cell_id": pa.string()})
        with (
            pa.input_stream(str(path), compression=compression) as stream,
            pyarrow.csv.open_csv(stream, read_options=read, convert_options=types) as reader,
        ):
            wanted = _wanted(reader.schema.names, where)
            for batch in reader:
                yield _with_texts(batch.select(wanted))
    except (pa.ArrowInvalid, OSError) as error:
        found = f"the table is damaged or cut short ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error


def _wanted(names: list[str], where: str) -> list[str]:
    for name in _COLUMNS:
        if name not in names:
            raise UserError(
                where=where,
                found=f"there is no column {name} among {', '.join(names)}",
                do="name cell_boundaries or nucleus_boundaries of the instrument's output",
            )
    return [*_COLUMNS, *([_OF_SEVERAL] if _OF_SEVERAL in names else [])]


def _with_texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with cells by text; before version 2 they are byte strings or numbers."""
    return batch.set_column(
        batch.schema.names.index("cell_id"), "cell_id", batch.column("cell_id").cast(pa.string())
    )


def _names(path: Path, where: str) -> list[str]:
    found: set[str] = set()
    for batch in _batches(path, where):
        found.update(batch.column("cell_id").unique().to_pylist())
    if not found:
        raise UserError(where=where, found="there are no outlines", do="copy it again from its source")
    return sorted(found)


def _named(path: Path, where: str) -> Named:
    """Batches of whole outlines: the last one of a batch of rows waits for the next."""
    held: pa.Table | None = None
    for batch in _batches(path, where):
        if not batch.num_rows:
            continue
        rows = pa.Table.from_batches([batch])
        rows = pa.concat_tables([held, rows]).combine_chunks() if held is not None else rows
        begins = _begins(rows)
        held = rows.slice(begins[-1])
        yield from _outlines(rows.slice(0, begins[-1]), begins)
    if held is not None:
        yield from _outlines(held, [0, held.num_rows])


def _begins(rows: pa.Table) -> list[int]:
    """Where a row is not of the outline of the row before."""
    changed = np.zeros(rows.num_rows, dtype=bool)
    changed[0] = True
    for name in ("cell_id", *([_OF_SEVERAL] if _OF_SEVERAL in rows.column_names else [])):
        codes = rows.column(name).combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
        changed[1:] |= codes[1:] != codes[:-1]
    return [int(at) for at in np.flatnonzero(changed)]


def _outlines(rows: pa.Table, begins: list[int]) -> Named:
    """A batch of the outlines that begin at these rows, the last of them the end."""
    if not rows.num_rows:
        return
    xy_um = np.column_stack([rows.column(name).to_numpy().astype(np.float64) for name in _COLUMNS[1:]])
    names = [str(rows.column("cell_id")[at]) for at in begins[:-1]]
    rings = [[ring] for ring in np.split(xy_um, begins[1:-1])]
    yield names, batch_of_rings(np.zeros(len(rings), dtype=np.int64), rings)
