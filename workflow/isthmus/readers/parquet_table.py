"""Parquet tables, read row group by row group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.errors import UserError
from isthmus.readers.columns import ColumnMap, map_columns

_BUFFER_BYTES = 1 << 20


def parquet_columns(path: Path, where: str, accepted: Mapping[str, tuple[str, ...]]) -> ColumnMap:
    """Find our columns in the schema."""
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError) as error:
        found = f"the Parquet file is damaged or cut short ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error
    return map_columns(names, where, accepted)


def parquet_batches(path: Path, columns: ColumnMap, where: str, n: int) -> Iterator[pa.RecordBatch]:
    """Batches of at most n rows of our columns, in the types of the file."""
    # Names come as dictionaries, as they are stored. A small buffer and nothing read ahead: otherwise all compressed
    # columns stay in memory until the end of the file.
    names = [theirs for ours, theirs in columns.names.items() if ours in ("gene", "vendor_cell_id")]
    try:
        with pq.ParquetFile(path, read_dictionary=names, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=n, columns=columns.theirs):
                yield batch.select(columns.theirs).rename_columns(list(columns.ours))
    except (pa.ArrowInvalid, OSError) as error:
        found = f"the Parquet file is damaged or cut short ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error
