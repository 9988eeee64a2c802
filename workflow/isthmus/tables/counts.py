"""The cell x gene matrices, from the counts of all blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix

from isthmus.tables.join import add_up, deal

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Record = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class MergedCounts:
    """Counts of all cells, compressed by row.

    start
        First entry of each cell, one more at the end.
    feature, counts
        Of each entry: place of the feature in the order asked for, increasing in a cell; (entries, 2) counts elsewhere
        in the cell and in its nucleus.
    n_low_quality
        Transcripts of low quality of each cell.
    """

    start: Int64
    feature: Int32
    counts: Int32
    n_low_quality: Int64


@dataclass(frozen=True)
class CountTables:
    """Counts of cells: genes of sufficient quality in all and in the nucleus, controls, transcripts of low quality."""

    genes: list[str]
    counts: csr_matrix
    nucleus_counts: csr_matrix
    controls: pd.DataFrame
    n_low_quality: Int64


def is_control(names: Sequence[str], patterns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which features are negative controls: those whose names begin with a match of a pattern."""
    compiled = [re.compile(pattern) for pattern in patterns]
    return np.array([any(p.match(name) for p in compiled) for name in names], dtype=bool)


def merge_counts(records: Iterable[Record], *, ids: Int64, place: Int32) -> MergedCounts:
    """Add up what all blocks counted (see `quantify.counts.count_points`), in any order of the blocks.

    Memory follows the entries of the blocks, of which there are few more than non-zero counts in the table.

    Parameters
    ----------
    ids
        Ids of all cells, increasing.
    place
        Place of each feature code in the order in which features come out.
    """
    parts: list[tuple[Int64, Record]] = []
    room = np.zeros(ids.size + 1, dtype=np.int64)
    low = np.zeros(ids.size, dtype=np.int64)
    for record in records:
        seen = (record["count_entries"] > 0) | (record["count_low"] > 0)
        cell = np.searchsorted(ids, record["point_ids"][seen])
        # An id is there once in a block, so plain indexing adds all.
        room[cell + 1] += record["count_entries"][seen]
        low[cell] += record["count_low"][seen]
        names = ("count_feature", "count_nucleus", "count_cytoplasm")
        kept = {name: record[name] for name in names} | {"count_entries": record["count_entries"][seen]}
        parts.append((cell, kept))
    start = np.cumsum(room)
    feature = np.empty(start[-1], dtype=np.int32)
    counts = np.empty((start[-1], 2), dtype=np.int32)
    cursor = start[:-1].copy()
    while parts:
        cell, part = parts.pop()
        deal(
            cell,
            part["count_entries"].astype(np.int64),
            place[part["count_feature"]],
            np.column_stack([part["count_cytoplasm"], part["count_nucleus"]]).astype(np.int32),
            *(cursor, feature, counts),
        )
    n = add_up(start, feature, counts, place.size)
    return MergedCounts(start, feature[:n], counts[:n], low)


def alphabetical(features: Sequence[str]) -> Int32:
    """Place of each feature in the order of their names."""
    place = np.empty(len(features), dtype=np.int32)
    place[sorted(range(len(features)), key=lambda code: features[code])] = np.arange(len(features))
    return place


def count_tables(
    merged: MergedCounts, *, features: Sequence[str], control_patterns: Sequence[str], index: pd.Index
) -> CountTables:
    """Make the matrices.

    Parameters
    ----------
    merged
        Counts whose features are in alphabetical order.
    features
        Names of the features, in any order. Genes and controls come out in alphabetical order.
    index
        Names of the cells.
    """
    names = sorted(features)
    controls = is_control(names, control_patterns)
    n_nucleus = merged.counts[:, 1]
    both = merged.counts.sum(axis=1, dtype=np.int32)
    return CountTables(
        genes=[name for name, control in zip(names, controls, strict=True) if not control],
        counts=_columns(merged, both, ~controls),
        nucleus_counts=_columns(merged, n_nucleus, ~controls),
        controls=pd.DataFrame(
            _columns(merged, both, controls).toarray(),
            columns=[name for name, control in zip(names, controls, strict=True) if control],
            index=index,
        ),
        n_low_quality=merged.n_low_quality,
    )


def _columns(merged: MergedCounts, values: Int32, wanted: npt.NDArray[np.bool_]) -> csr_matrix:
    """The non-zero values of some features as a matrix, its indices sorted."""
    column = np.cumsum(wanted, dtype=np.int32) - 1
    kept = wanted[merged.feature] & (values > 0)
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(kept)])
    shape = (merged.start.size - 1, int(wanted.sum()))
    entries = (values[kept], column[merged.feature[kept]], before[merged.start])
    made = csr_matrix(entries, shape=shape, dtype=np.int32)
    made.has_sorted_indices = True
    return made
