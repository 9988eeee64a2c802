"""Measures that do not add up, of whole cells: percentiles, entropy, convex hulls.

Blocks finish them for cells that they have alone. Of all others they leave histograms and extents, which are joined
here and go through the same kernels, so a cell comes out the same however the image was cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.quantify.hull import Extents, convex_areas
from isthmus.quantify.measure import Measures
from isthmus.quantify.values import entropies, join_counts, order_statistics

Int64 = npt.NDArray[np.int64]
Record = dict[str, npt.NDArray[Any]]

_BATCH_ENTRIES = 20_000_000
"""Histogram entries that are held before whole cells among them are finished."""


@dataclass(frozen=True)
class Completed:
    """Measures of whole cells, in the order of their ids; the axes after the first are those of the records.

    ranks
        (cells, channels, 3, percentiles, 2); see quantify.values.order_statistics.
    entropy
        (cells, channels, 3), or None without texture.
    convex
        (cells, 2), or None in volumes.
    """

    ranks: npt.NDArray[np.uint16] | None
    entropy: npt.NDArray[np.float64] | None
    convex: Int64 | None


def complete_cells(records: Iterable[Record], ids: Int64, measures: Measures) -> Completed:
    """Finish what blocks could not.

    Parameters
    ----------
    records
        Of all blocks; they are gone through twice.
    ids
        Ids of all cells, sorted.
    """
    left = np.zeros(ids.size, dtype=np.int64)
    made: dict[str, npt.NDArray[Any]] = {}
    for record in records:
        place = np.searchsorted(ids, record["ids"])
        left[place[~record["complete"]]] += 1
        for name in ("ranks", "entropy", "convex"):
            if name in record:
                target = made.setdefault(
                    name, np.zeros((ids.size, *record[name].shape[1:]), record[name].dtype)
                )
                target[place[record["complete"]]] = record[name][record["complete"]]
    for batch in _batches(records, ids, left):
        if "convex" in made:
            made["convex"][batch.cells] = _convex(batch)
        if "value_sizes" in batch.parts:
            _from_histograms(batch, measures, made)
    return Completed(made.get("ranks"), made.get("entropy"), made.get("convex"))


@dataclass(frozen=True)
class _Batch:
    """Parts of cells of which no other part is left: the cells, and of each part its cell's place among them."""

    cells: Int64
    cell_of_part: Int64
    parts: Record


def _batches(records: Iterable[Record], ids: Int64, left: Int64) -> Iterable[_Batch]:
    """Parts of cells, whenever enough are together: those whose cells are whole; the others wait."""
    waiting: list[Record] = []
    held = 0
    for record in records:
        part = _parts(record, ids)
        np.subtract.at(left, part["cell"], 1)
        waiting.append(part)
        held += part["value"].size if "value" in part else 0
        if held > _BATCH_ENTRIES:
            joined = _joined(waiting)
            ready = left[joined["cell"]] == 0
            yield _batch(_chosen(joined, ready))
            waiting = [_chosen(joined, ~ready)]
            held = 0
    if waiting:
        yield _batch(_joined(waiting))


def _batch(parts: Record) -> _Batch:
    cells, of_part = np.unique(parts["cell"], return_inverse=True)
    return _Batch(cells, of_part, parts)


_FLAT = {
    "extent_line": "extent_sizes",
    "extent_first": "extent_sizes",
    "extent_last": "extent_sizes",
    "value": "value_sizes",
    "value_count": "value_sizes",
}
"""Arrays that hold one segment after the other, and which sizes are theirs. Values come part by part here."""


def _parts(record: Record, ids: Int64) -> Record:
    """The incomplete instances of a record."""
    made = {"cell": np.searchsorted(ids, record["ids"][~record["complete"]])}
    made |= {name: record[name] for name in ("extent_sizes", "value_sizes", *_FLAT) if name in record}
    if "value" in made:
        # Channel by channel in the record; part by part is what can be chosen from.
        sizes = made["value_sizes"]
        n_parts, n_channels = sizes.shape[:2]
        by_channel = np.moveaxis(sizes, 1, 0).reshape(-1)
        part_first = (
            np.arange(n_channels * n_parts * 2).reshape(n_channels, n_parts, 2).transpose(1, 0, 2).reshape(-1)
        )
        order = _gather(by_channel, part_first)
        for name in ("value", "value_count"):
            made[name] = made[name][order]
    return made


def _gather(sizes: Int64, wanted: Int64) -> Int64:
    """Indices of the entries of some segments, one segment after the other."""
    begins = np.cumsum(sizes) - sizes
    lengths = sizes[wanted]
    shift = np.repeat(begins[wanted] - (np.cumsum(lengths) - lengths), lengths)
    gathered: Int64 = np.arange(lengths.sum()) + shift
    return gathered


def _joined(parts: list[Record]) -> Record:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _chosen(parts: Record, wanted: npt.NDArray[np.bool_]) -> Record:
    made = {}
    for name, values in parts.items():
        if name in _FLAT:
            sizes = parts[_FLAT[name]]
            per_part = sizes.reshape(sizes.shape[0], -1).sum(axis=1)
            made[name] = values[np.repeat(wanted, per_part)]
        else:
            made[name] = values[wanted]
    return made


def _convex(batch: _Batch) -> Int64:
    """Hulls of the nuclei and cells of a batch (cells, 2): extents on one line are joined first."""
    parts = batch.parts
    segment = (2 * batch.cell_of_part[:, np.newaxis] + np.arange(2)).reshape(-1)
    segment = np.repeat(segment, parts["extent_sizes"].reshape(-1))
    order = np.lexsort((parts["extent_line"], segment))
    segment, line = segment[order], parts["extent_line"][order]
    is_first = np.ones(line.size, dtype=bool)
    is_first[1:] = (segment[1:] != segment[:-1]) | (line[1:] != line[:-1])
    begins = np.flatnonzero(is_first)
    offsets = np.searchsorted(segment[begins], np.arange(2 * batch.cells.size + 1))
    if not begins.size:
        return np.zeros((batch.cells.size, 2), dtype=np.int64)
    first = np.minimum.reduceat(parts["extent_first"][order], begins)
    last = np.maximum.reduceat(parts["extent_last"][order], begins)
    columns = (np.ascontiguousarray(a, dtype=np.int32) for a in (line[begins], first, last))
    return convex_areas(Extents(offsets, *columns)).reshape(-1, 2)


def _from_histograms(batch: _Batch, measures: Measures, made: dict[str, npt.NDArray[Any]]) -> None:
    """Percentiles and entropy of a batch, channel by channel."""
    parts, n = batch.parts, batch.cells.size
    sizes = parts["value_sizes"]
    ends = np.cumsum(sizes).reshape(sizes.shape)
    for channel in range(sizes.shape[1]):
        segment = (2 * batch.cell_of_part[:, np.newaxis] + np.arange(2)).reshape(-1)
        stop = ends[:, channel].reshape(-1)
        places = np.stack([stop - sizes[:, channel].reshape(-1), stop], axis=1)
        order = np.argsort(segment, kind="stable")
        values, offsets = join_counts(
            segment[order],
            np.ascontiguousarray(places[order]),
            parts["value"],
            parts["value_count"].astype(np.int32, copy=False),
            2 * n,
        )
        made["ranks"][batch.cells, channel] = order_statistics(values, offsets, measures.milli)
        if measures.texture:
            made["entropy"][batch.cells, channel] = entropies(values, offsets)
