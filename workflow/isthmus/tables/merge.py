"""Join the partial sums of all blocks: exact integers, in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Record = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class CellSums:
    """Sums of whole cells, sorted by id; see quantify.sums.PartialSums for the axes after the first."""

    ids: Int64
    shape: Int64
    bounds: Int64
    flags: npt.NDArray[np.bool_]
    intensity: Int64
    extremes: Int64


def merge_sums(records: Iterable[Record]) -> CellSums:
    """Add up what the blocks found of each instance."""
    # Only these: the records also hold the transcripts, and there may be many.
    names = ("ids", "shape", "bounds", "flags", "intensity", "extremes")
    parts = [{name: record[name] for name in names} for record in records]
    ids, where = np.unique(np.concatenate([part["ids"] for part in parts]), return_inverse=True)

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate([part[name] for part in parts])

    def reduced(name: str, how: np.ufunc, start: Any, dtype: Any = np.int64) -> npt.NDArray[Any]:
        values = joined(name)
        out = np.full((ids.size, *values.shape[1:]), start, dtype=dtype)
        how.at(out, where, values)
        return out

    low, high = np.iinfo(np.int64).max, -1
    bounds, extremes = joined("bounds"), joined("extremes")
    merged_bounds = np.empty((ids.size, 6), dtype=np.int64)
    merged_bounds[:, :3] = _reduce(bounds[:, :3], where, ids.size, np.minimum, low)
    merged_bounds[:, 3:] = _reduce(bounds[:, 3:], where, ids.size, np.maximum, high)
    merged_extremes = np.empty((ids.size, *extremes.shape[1:]), dtype=np.int64)
    merged_extremes[..., 0] = _reduce(extremes[..., 0], where, ids.size, np.minimum, low)
    merged_extremes[..., 1] = _reduce(extremes[..., 1], where, ids.size, np.maximum, high)
    return CellSums(
        ids=ids,
        shape=reduced("shape", np.add, 0),
        bounds=merged_bounds,
        flags=reduced("flags", np.logical_or, False, bool),
        intensity=reduced("intensity", np.add, 0),
        extremes=merged_extremes,
    )


def _reduce(values: Int64, where: Int64, n: int, how: np.ufunc, start: int) -> Int64:
    out = np.full((n, *values.shape[1:]), start, dtype=np.int64)
    how.at(out, where, values)
    return out
