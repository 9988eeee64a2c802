"""The outlines of a sample in the order of their ids, whatever blocks they come from, a batch in memory at a time.

A piece is what one block knows of one instance: its outline where it does not touch a seam, else its runs. Pieces go to
a file as they come; who they belong to and where they lie stays in memory, about 100 bytes a cell. Almost every
instance is one outline, or has runs only. One in parts that no pixels join (imported labels, nuclei over a gap) may
have outlines in several blocks: all its pieces become runs, and the outline is traced anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.quantify.outline_rings import RING_HEAD
from isthmus.quantify.outlines import trace_outlines

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Record = dict[str, npt.NDArray[Any]]

_RUN = 4


@dataclass(frozen=True)
class OutlineBatch:
    """Outlines of some instances, ids ascending; see `quantify.outlines.Outlines`. origin (y, x) is to be added."""

    ids: Int64
    z: Int32
    origin: Int32
    bounds: Int64
    code: Int32


class OutlinePieces:
    """All pieces of a sample.

    Parameters
    ----------
    path
        File for the pieces; it may be deleted when all batches are taken.
    records
        Block records with the arrays of `quantify.outline_record`.
    """

    def __init__(self, path: Path, records: Iterable[Record]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        found, at = [], 0
        with path.open("wb") as file:
            for record in records:
                for numbers in (record["outline_code"], record["run_px"]):
                    file.write(numbers.astype(np.int32).tobytes())
                pieces = _pieces(record, at)
                at += int(pieces["size"].sum())
                found.append(pieces)
        pieces = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        order = np.argsort(pieces["ids"], kind="stable")
        self._pieces = {name: values[order] for name, values in pieces.items()}
        self.ids, self._first = np.unique(self._pieces["ids"], return_index=True)
        self._first = np.append(self._first, order.size)
        self._map: mmap | None = None
        self._numbers = np.empty(0, dtype=np.int32)
        if at:  # an empty file cannot be mapped
            with path.open("rb") as file:
                self._map = mmap(file.fileno(), 0, access=ACCESS_READ)
            self._numbers = np.frombuffer(self._map, dtype=np.int32)

    def batches(self, n_instances: int) -> Iterator[OutlineBatch]:
        """The outlines of all instances, so many at a time."""
        for first in range(0, self.ids.size, n_instances):
            yield self._batch(first, min(first + n_instances, self.ids.size))
            if self._map is not None:  # what was read need not stay in memory
                self._map.madvise(MADV_DONTNEED)

    def _batch(self, first: int, stop: int) -> OutlineBatch:
        bounds = self._first[first : stop + 1]
        pieces = {name: values[bounds[0] : bounds[-1]] for name, values in self._pieces.items()}
        bounds = bounds - bounds[0]
        is_whole = (np.diff(bounds) == 1) & ~pieces["is_runs"][bounds[:-1]]
        one = {name: values[bounds[:-1][is_whole]] for name, values in pieces.items()}
        rest = np.repeat(~is_whole, np.diff(bounds))
        runs = self._runs({name: values[rest] for name, values in pieces.items()})
        traced = trace_outlines(runs)
        n = stop - first
        z, origin = np.zeros((n, 2), dtype=np.int32), np.zeros((n, 2), dtype=np.int32)
        z[is_whole], z[~is_whole], origin[is_whole] = one["z"], traced.z, one["origin"]
        size = np.zeros(n, dtype=np.int64)
        size[is_whole], size[~is_whole] = one["size"], np.diff(traced.bounds)
        at = np.zeros(n, dtype=np.int64)
        at[is_whole], at[~is_whole] = one["at"], traced.bounds[:-1]
        code = np.empty(int(size.sum()), dtype=np.int32)
        from_file = np.repeat(is_whole, size)
        code[from_file] = _taken(self._numbers, at[is_whole], size[is_whole])
        code[~from_file] = traced.code
        code_bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(size)])
        return OutlineBatch(self.ids[first:stop], z, origin, code_bounds, code)

    def _runs(self, pieces: dict[str, npt.NDArray[Any]]) -> Int32:
        """All pieces as runs (see `quantify.runs.RUN_COLUMNS`); instances are numbered from 0."""
        number = np.unique(pieces["ids"], return_inverse=True)[1].astype(np.int32)
        of = pieces["is_runs"]
        px = _taken(self._numbers, pieces["at"][of], pieces["size"][of]).reshape(-1, _RUN)
        parts = [np.column_stack([np.repeat(number[of], pieces["size"][of] // _RUN), px])]
        for k in np.flatnonzero(~of):
            code = self._numbers[pieces["at"][k] : pieces["at"][k] + pieces["size"][k]]
            px = outline_runs(code, origin=pieces["origin"][k], z=pieces["z"][k])
            parts.append(np.column_stack([np.full(len(px), number[k]), px]))
        runs = np.concatenate(parts).astype(np.int32)
        return runs[np.argsort(runs[:, 0], kind="stable")] if len(parts) > 1 else runs


def outline_runs(code: Int32, *, origin: Int32, z: Int32) -> Int32:
    """The runs (z, y, x_start, x_stop) inside an outline, in its first plane; the last has the first run again."""
    rows, columns = [], []
    at = 0
    while at < code.size:
        y, x, n_moves = code[at : at + RING_HEAD]
        moves = code[at + RING_HEAD : at + RING_HEAD + abs(n_moves)].astype(np.int64)
        along_x = np.arange(moves.size) % 2 == (n_moves < 0)
        column = x + np.cumsum(np.where(along_x, moves, 0))
        row = y + np.cumsum(np.where(along_x, 0, moves))
        side, top = ~along_x, np.minimum(row, row - moves)
        rows.append(_taken_ranges(top[side], np.abs(moves[side])))
        columns.append(np.repeat(column[side], np.abs(moves[side])))
        at += RING_HEAD + abs(n_moves)
    row, column = np.concatenate(rows) + origin[0], np.concatenate(columns) + origin[1]
    order = np.lexsort((column, row))
    row, column = row[order], column[order]
    runs = np.column_stack([np.full(row.size // 2, z[0]), row[::2], column[::2], column[1::2]])
    return np.concatenate([runs, runs[:1] + np.array([z[1] - z[0], 0, 0, 0])]).astype(np.int32)


def _pieces(record: Record, at: int) -> dict[str, npt.NDArray[Any]]:
    """The pieces of a block whose numbers are written at this place."""
    first = np.flatnonzero(np.diff(record["run_id"], prepend=-1))
    n_runs = np.diff(np.append(first, record["run_id"].size))
    n_whole = record["outline_id"].size
    size = np.concatenate([record["outline_size"], n_runs * _RUN])
    z, origin = np.zeros((size.size, 2), dtype=np.int32), np.zeros((size.size, 2), dtype=np.int32)
    z[:n_whole], origin[:n_whole] = record["outline_z"], record["outline_origin"]
    return {
        "ids": np.concatenate([record["outline_id"], record["run_id"][first]]),
        "is_runs": np.arange(size.size) >= n_whole,
        "at": at + np.cumsum(size) - size,
        "size": size,
        "z": z,
        "origin": origin,
    }


def _taken(source: Int32, at: Int64, size: Int64) -> Int32:
    """Stretches of an array, one after the other."""
    return source[_taken_ranges(at, size)]


def _taken_ranges(at: Int64, size: Int64) -> Int64:
    """The whole numbers from at to at + size, for each."""
    before = np.cumsum(size) - size
    ranges: Int64 = np.repeat(at - before, size) + np.arange(int(size.sum()))
    return ranges
