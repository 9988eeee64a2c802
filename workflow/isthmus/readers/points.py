"""Tables of transcripts (CSV, TSV, Parquet; plain or gzip), streamed in batches of the canonical columns.

Never more than a few batches are in memory. A fault of a row names the row, counted from 1 after the header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from isthmus.errors import UserError
from isthmus.image.source import POINT_COLUMNS, PointsPart
from isthmus.readers.columns import ACCEPTED, NO_CELL
from isthmus.readers.csv_table import csv_batches, csv_columns
from isthmus.readers.parquet_table import parquet_batches, parquet_columns

Batches = Callable[[int], Iterator[pa.RecordBatch]]
_PROBE_ROWS = 1000


def open_points(path: Path, *, where: str, accepted: Mapping[str, tuple[str, ...]] = ACCEPTED) -> PointsPart:
    """Describe a table of transcripts from its header and its first rows.

    Parameters
    ----------
    path
        A file whose name ends in .csv, .tsv, .txt (also with .gz) or .parquet.
    where
        What an error message starts with.
    accepted
        Names that stand for each of our columns (`accepted_names`).
    """
    where = f"{where}, transcripts '{path}'"
    if not path.is_file():
        raise UserError(where=where, found="there is no such file", do="correct the path")
    if path.stat().st_size == 0:
        raise UserError(where=where, found="the file is empty", do="copy it again from its source")
    if path.suffix == ".parquet":
        columns = parquet_columns(path, where, accepted)
        raw: Batches = partial(parquet_batches, path, columns, where)
    else:
        columns = csv_columns(path, where, accepted)
        raw = partial(csv_batches, path, columns, where)
    part = points_part(raw, columns.ours, (path,), where)
    check_not_empty(part, where)
    return part


def points_part(raw: Batches, columns: tuple[str, ...], files: tuple[Path, ...], where: str) -> PointsPart:
    """Points whose raw batches have our columns, but not yet our types."""
    return PointsPart(columns=columns, batches=partial(canonical_batches, raw, where), files=files)


def check_not_empty(part: PointsPart, where: str) -> None:
    """Read the first batch: fails when there is no row, or when the first rows are wrong."""
    if next(part.batches(_PROBE_ROWS), None) is None:
        raise UserError(
            where=where, found="the table has no rows", do="name the table that holds the transcripts"
        )


def canonical_batches(raw: Batches, where: str, n: int) -> Iterator[pa.RecordBatch]:
    """Batches of at most n rows, with the types of POINT_COLUMNS and every coordinate finite."""
    row = 0
    for batch in raw(n):
        for start in range(0, batch.num_rows, n):
            piece = canonical(batch.slice(start, n), row, where)
            row += piece.num_rows
            yield piece


def canonical(batch: pa.RecordBatch, first_row: int, where: str) -> pa.RecordBatch:
    """One batch with the canonical types; first_row is the number of rows before it."""
    arrays = []
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        try:
            arrays.append(_CONVERT[name](values))
        except pa.ArrowInvalid as error:
            raise _wrong_values(name, values, first_row, where, error) from error
        if name in ("x_um", "y_um", "z_um"):
            _check(pc.is_finite(arrays[-1]), first_row, where, f"{name} is missing or not a finite number")
        if name == "gene":
            _check(pc.is_valid(arrays[-1]), first_row, where, "gene is missing")
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def as_names(values: pa.Array, absent: Sequence[str]) -> pa.DictionaryArray:
    """Names, null where there is none, of a column of strings, byte strings, numbers or a dictionary of them.

    Only the dictionary is turned into text and looked at, which is short; it may have entries that no row has.
    """
    encoded = values.dictionary_encode()
    names = encoded.dictionary.cast(pa.string())
    indices = encoded.indices.cast(pa.int32())
    empty = pc.or_(pc.is_null(names), pc.is_in(names, value_set=pa.array(absent, pa.string())))
    if pc.any(empty, min_count=0).as_py():
        indices = pc.if_else(empty.take(indices), None, indices)
        names = names.fill_null("")
    return pa.DictionaryArray.from_arrays(indices, names)


def _coordinate(values: pa.Array) -> pa.Array:
    # Single precision is kept where the file has it: what comes out is what the vendor gave.
    return values if values.type == pa.float32() else values.cast(pa.float64())


def _gene(values: pa.Array) -> pa.Array:
    return as_names(values, ("",))


def _quality(values: pa.Array) -> pa.Array:
    # A transcript without a quality is one of low quality: no comparison with NaN holds.
    return values.cast(pa.float32()).fill_null(float("nan"))


def _cell(values: pa.Array) -> pa.Array:
    return as_names(values, NO_CELL)


def _flag(values: pa.Array) -> pa.Array:
    return values.cast(pa.bool_()).fill_null(False)


_CONVERT: dict[str, Callable[[pa.Array], pa.Array]] = {
    "x_um": _coordinate,
    "y_um": _coordinate,
    "z_um": _coordinate,
    "gene": _gene,
    "qv": _quality,
    "vendor_cell_id": _cell,
    "overlaps_nucleus": _flag,
}


def _check(good: pa.Array, first_row: int, where: str, found: str) -> None:
    good = good.fill_null(False)
    if pc.all(good, min_count=0).as_py():
        return
    row = first_row + pc.index(good, False).as_py() + 1
    raise UserError(where=where, found=f"row {row}: {found}", do="correct or remove the row")


def _wrong_values(name: str, values: pa.Array, row: int, where: str, error: Exception) -> UserError:
    return UserError(
        where=where,
        found=f"{name} between rows {row + 1} and {row + len(values)} is not {POINT_COLUMNS[name]} ({error})",
        do="correct the column",
    )
