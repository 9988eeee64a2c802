"""transcripts.parquet: every transcript of the input, in its order, with the cell it lies in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.errors import UserError

COMPARTMENTS = ("none", "nucleus", "cytoplasm")

Record = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Assignment:
    """Instance and compartment code of every row of the input, as arrays on disk."""

    instance_id: npt.NDArray[np.int64]
    compartment: npt.NDArray[np.uint8]


def scatter(folder: Path, n_rows: int, records: Iterable[Record]) -> Assignment:
    """Put what the blocks found at the rows of the input. Rows outside all cells stay 0.

    Parameters
    ----------
    folder
        Where the two arrays are made; memory does not grow with the number of transcripts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.lib.format.open_memmap(folder / "instance_id.npy", mode="w+", dtype=np.int64, shape=(n_rows,))
    parts = np.lib.format.open_memmap(folder / "compartment.npy", mode="w+", dtype=np.uint8, shape=(n_rows,))
    for record in records:
        ids[record["point_row"]] = record["point_id"]
        parts[record["point_row"]] = record["point_compartment"]
    return Assignment(ids, parts)


def with_cells(batches: Iterable[pa.RecordBatch], assignment: Assignment) -> Iterator[pa.RecordBatch]:
    """Add the columns instance_id and compartment; rows must be as many as were binned."""
    row, n_rows = 0, assignment.instance_id.size
    names = pa.array(COMPARTMENTS)
    for batch in batches:
        ids = np.array(assignment.instance_id[row : row + batch.num_rows])
        codes = np.array(assignment.compartment[row : row + batch.num_rows])
        row += batch.num_rows
        if row > n_rows:
            break
        compartment = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), names)
        columns = [*batch.columns, pa.array(ids), compartment]
        yield pa.RecordBatch.from_arrays(columns, names=[*batch.schema.names, "instance_id", "compartment"])
    if row != n_rows:
        raise UserError(
            where="transcripts",
            found=f"the files hold {'more' if row > n_rows else 'fewer'} rows than when they were imported ({n_rows})",
            do="leave inputs alone during a run, and run again",
        )


class TranscriptWriter:
    """Writes batches to a Parquet file that appears whole at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f"partial.{path.name}")
        self._writer: pq.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch; dictionaries may differ from batch to batch."""
        table = pa.Table.from_batches([batch])
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._temporary, table.schema, compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema))

    def finish(self) -> None:
        """Close the file and put it in place."""
        if self._writer is not None:
            self._writer.close()
            self._temporary.replace(self._path)
