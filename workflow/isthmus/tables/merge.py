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
    """Sums of whole cells, sorted by id; see quantify.sums.PartialSums for the axes after the first.

    border, pairs
        See quantify.measure.measure; None where they were not measured.
    """

    ids: Int64
    shape: Int64
    bounds: Int64
    flags: npt.NDArray[np.bool_]
    intensity: Int64
    extremes: Int64
    border: Int64 | None = None
    pairs: Int64 | None = None


_ADDED = ("shape", "intensity", "border", "pairs")
_WIDENED = ("bounds", "extremes")


def merge_sums(records: Iterable[Record]) -> CellSums:
    """Add up what the blocks found of each instance."""
    # Only these: the records also hold the transcripts, and there may be many.
    names = ("ids", "flags", *_ADDED, *_WIDENED)
    parts = [{name: record[name] for name in names if name in record} for record in records]
    ids = np.concatenate([part["ids"] for part in parts])
    order = np.argsort(ids, kind="stable")
    is_first = np.ones(ids.size, dtype=bool)
    is_first[1:] = ids[order[1:]] != ids[order[:-1]]
    begins = np.flatnonzero(is_first)

    def reduced(name: str, how: np.ufunc, part: Any = ...) -> npt.NDArray[Any]:
        values = np.concatenate([each[name][part] for each in parts])[order]
        return values if begins.size == ids.size else how.reduceat(values, begins, axis=0)

    made = {name: reduced(name, np.add) for name in _ADDED if name in parts[0]}
    for name in _WIDENED:
        half = parts[0][name].shape[-1] // 2
        low = reduced(name, np.minimum, (..., slice(None, half)))
        made[name] = np.concatenate([low, reduced(name, np.maximum, (..., slice(half, None)))], axis=-1)
    return CellSums(ids=ids[order][begins], flags=reduced("flags", np.logical_or), **made)
