"""Tables of text with a header line, comma, tab or semicolon between the values, plain or gzip."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from isthmus.errors import UserError
from isthmus.readers.columns import ColumnMap, map_columns

_DELIMITERS = (",", "\t", ";")
_HEADER_BYTES = 1 << 16
_BLOCK_BYTES = 4 << 20
# Read as these first; the canonical types are made of them later. Ids stay text, whatever they look like.
_TYPES = {
    "x_um": pa.float64(),
    "y_um": pa.float64(),
    "z_um": pa.float64(),
    "gene": pa.string(),
    "qv": pa.float32(),
    "vendor_cell_id": pa.string(),
    "overlaps_nucleus": pa.bool_(),
}


def csv_columns(path: Path, where: str, accepted: Mapping[str, tuple[str, ...]]) -> ColumnMap:
    """Find our columns in the header line."""
    names, _ = read_header(path, where)
    columns = map_columns(names, where, accepted)
    twice = [name for name in columns.theirs if names.count(name) > 1]
    if twice:
        raise UserError(where=where, found=f"column '{twice[0]}' is there twice", do="remove one of them")
    return columns


def csv_batches(path: Path, columns: ColumnMap, where: str, n: int) -> Iterator[pa.RecordBatch]:
    """Batches of our columns, of the size in which the file is read (n is the caller's affair)."""
    names, delimiter = read_header(path, where)
    # Arrow is told the names, so that a first column without a name (a row index) does no harm.
    unique = [f"{position}:{name}" for position, name in enumerate(names)]
    theirs = [unique[names.index(name)] for name in columns.theirs]
    types = dict(zip(theirs, (_TYPES[name] for name in columns.ours), strict=True))
    try:
        with (
            pa.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else None) as stream,
            pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    column_names=unique, skip_rows=1, block_size=_BLOCK_BYTES, use_threads=False
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
                convert_options=pyarrow.csv.ConvertOptions(include_columns=theirs, column_types=types),
            ) as reader,
        ):
            for batch in reader:
                yield batch.rename_columns(list(columns.ours))
    except (pa.ArrowInvalid, OSError) as error:
        found = re.sub(r"column '\d+:", "column '", str(error))
        found = re.sub(r"CSV column #(\d+)", lambda hit: f"column '{names[int(hit[1])]}'", found)
        raise UserError(where=where, found=f"the table cannot be read ({found})", do="correct it") from error


def read_header(path: Path, where: str) -> tuple[list[str], str]:
    """Names of the columns and the delimiter of a table of text, plain or gzip."""
    try:
        with pa.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else None) as stream:
            line = bytes(stream.read(_HEADER_BYTES)).decode("utf-8-sig").partition("\n")[0].rstrip("\r")
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise UserError(
            where=where, found=f"this is no table of text ({error})", do="give a CSV, TSV or Parquet file"
        ) from error
    delimiter = max(_DELIMITERS, key=line.count)
    return next(csv.reader([line], delimiter=delimiter), []), delimiter
