"""The cell x gene matrices from merged counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix

Int64 = npt.NDArray[np.int64]


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


def count_tables(
    rows: Int64, *, ids: Int64, features: Sequence[str], control_patterns: Sequence[str], index: pd.Index
) -> CountTables:
    """Make the matrices.

    Parameters
    ----------
    rows
        (id, feature code, nucleus, cytoplasm, low quality), sorted.
    ids
        Ids of the table's rows, sorted.
    features
        Name of each feature code. Genes and controls come out in alphabetical order.
    """
    controls = is_control(features, control_patterns)
    order = sorted(range(len(features)), key=lambda code: features[code])
    genes = [code for code in order if not controls[code]]
    others = [code for code in order if controls[code]]
    cell = np.searchsorted(ids, rows[:, 0])
    n_low_quality = np.zeros(ids.size, dtype=np.int64)
    np.add.at(n_low_quality, cell, rows[:, 4])

    def matrix(codes: Sequence[int], values: Int64) -> csr_matrix:
        place = np.full(len(features), -1, dtype=np.int64)
        place[list(codes)] = np.arange(len(codes))
        column = place[rows[:, 1]]
        kept = (column >= 0) & (values > 0)
        entries = (values[kept].astype(np.int32), (cell[kept], column[kept]))
        made = csr_matrix(entries, shape=(ids.size, len(codes)), dtype=np.int32)
        made.sort_indices()
        return made

    both = rows[:, 2] + rows[:, 3]
    return CountTables(
        genes=[features[code] for code in genes],
        counts=matrix(genes, both),
        nucleus_counts=matrix(genes, rows[:, 2]),
        controls=pd.DataFrame(
            matrix(others, both).toarray(), columns=[features[code] for code in others], index=index
        ),
        n_low_quality=n_low_quality,
    )
