"""transcripts.parquet: every transcript of the input, in its order, with the cell it lies in.

The blocks know the cells of their transcripts in the order of the binned runs. These are noted in one file a run, in
the order of the run's transcripts; then one run after the other is put in the order of the input, of which it covers
one stretch. So memory holds one block and one run, however many transcripts there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.blocks.grid import Region
from isthmus.errors import UserError
from isthmus.quantify.points import open_run, run_paths, run_segments
from isthmus.quantify.tally import by_row, unfold

COMPARTMENTS = ("none", "nucleus", "cytoplasm")

_IN_ORDER = ("x_um", "y_um", "z_um", "instance_id")
"""Columns of too many values for a dictionary, and the only ones whose extremes help a reader to skip row groups."""

Int64 = npt.NDArray[np.int64]
Record = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of the input: id (0 = none), code of COMPARTMENTS, and whether they lie in the window."""

    instance_id: Int64
    compartment: npt.NDArray[np.int8]
    inside: npt.NDArray[np.bool_]


def note_states(folder: Path, points: Path, blocks: Iterable[tuple[Region, Record]], ids: Int64) -> None:
    """Write the state (see `quantify.tally.by_row`) of every binned transcript, a file a run.

    Parameters
    ----------
    folder
        Where the files are made.
    points
        The binned transcripts.
    blocks
        Write region and record of every block, in any order.
    ids
        Ids of all cells, increasing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dtype = np.dtype(np.int32 if 2 * ids.size + 3 < 2**31 else np.int64)
    paths = run_paths(points)
    for path in paths:
        with (folder / path.name).open("wb") as file:
            file.truncate(open_run(path).points.size * dtype.itemsize)
    for write, record in blocks:
        code = record["point_code"].astype(np.int32)
        state_of = _states(record["point_ids"], ids).astype(dtype)
        n = 0
        for path in paths:
            with (folder / path.name).open("r+b") as file:
                for part in run_segments(open_run(path), write):
                    offset = part.begin * dtype.itemsize
                    file.seek(offset)
                    state = np.fromfile(file, dtype=dtype, count=part.points.size)
                    n = unfold(
                        *(part.points, part.tiles, part.first, part.run.lattice, write.start, write.stop),
                        *(code, state_of, state, n),
                    )
                    file.seek(offset)
                    state.tofile(file)
        if n != code.size:
            raise ValueError(f"the block at {write.start} has {code.size} transcripts, not {n}")


def _states(block_ids: Int64, ids: Int64) -> Int64:
    """State of each code of a block: 0 is no cell; 2 k and 2 k + 1 are outside and in the nucleus of its k-th id."""
    states = np.ones(2 * block_ids.size + 2, dtype=np.int64)
    at = np.minimum(np.searchsorted(ids, block_ids), max(ids.size - 1, 0))
    states[2::2] = 2 * at + 2
    states[3::2] = 2 * at + 3
    return states


class Assignment:
    """The cells of all rows of the input, in its order; one run is in memory at a time."""

    def __init__(self, folder: Path, points: Path, ids: Int64, n_rows: int) -> None:
        """Folder is what `note_states` made, n_rows how many rows the input has."""
        self._folder, self._ids, self.n_rows = folder, ids, n_rows
        self._waiting = run_paths(points)
        self._row = self._first = self._end = 0
        self._run = _no_rows(0)

    def take(self, n: int) -> Rows:
        """The next n rows; rows that no run covers lie outside the window."""
        rows = _no_rows(n)
        start, self._row = self._row, self._row + n
        at = start
        while at < self._row:
            while at >= self._end and self._waiting:
                self._load(self._waiting.pop(0))
            if at >= self._end:
                break
            begin, stop = max(at, self._first), min(self._row, self._end)
            for name in ("instance_id", "compartment", "inside"):
                found = getattr(self._run, name)[begin - self._first : stop - self._first]
                getattr(rows, name)[begin - start : stop - start] = found
            at = stop
        return rows

    def _load(self, path: Path) -> None:
        run = open_run(path)
        self._first, self._end = run.first_row, run.first_row + run.n_rows
        self._run = _no_rows(run.n_rows)
        dtype = np.int32 if 2 * self._ids.size + 3 < 2**31 else np.int64
        state = np.fromfile(self._folder / path.name, dtype=dtype)
        by_row(
            *(run.points, state, self._ids),
            *(self._run.instance_id, self._run.compartment, self._run.inside),
        )


def _no_rows(n: int) -> Rows:
    return Rows(np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int8), np.zeros(n, dtype=bool))


def with_cells(
    batches: Iterable[pa.RecordBatch], assignment: Assignment
) -> Iterator[tuple[pa.RecordBatch, Rows]]:
    """Add the columns instance_id and compartment; rows must be as many as were binned."""
    row, n_rows = 0, assignment.n_rows
    names = pa.array(COMPARTMENTS)
    for batch in batches:
        row += batch.num_rows
        if row > n_rows:
            break
        rows = assignment.take(batch.num_rows)
        compartment = pa.DictionaryArray.from_arrays(pa.array(rows.compartment), names)
        columns = [*batch.columns, pa.array(rows.instance_id), compartment]
        made = pa.RecordBatch.from_arrays(columns, names=[*batch.schema.names, "instance_id", "compartment"])
        yield made, rows
    if row != n_rows:
        raise UserError(
            where="transcripts",
            found=f"the files hold {'more' if row > n_rows else 'fewer'} rows than when they were imported ({n_rows})",
            do="leave inputs alone during a run, and run again",
        )


class TranscriptWriter:
    """Writes batches to a Parquet file that appears whole at the end; one row group a batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f"partial.{path.name}")
        self._writer: pq.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch; dictionaries may differ from batch to batch."""
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            names = batch.schema.names
            self._writer = pq.ParquetWriter(
                self._temporary,
                batch.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[name for name in names if name not in _IN_ORDER],
                write_statistics=[name for name in names if name in _IN_ORDER],
            )
        if batch.num_rows:
            self._writer.write_table(pa.Table.from_batches([batch]).cast(self._writer.schema))

    def finish(self) -> None:
        """Close the file and put it in place."""
        if self._writer is not None:
            self._writer.close()
            self._temporary.replace(self._path)
