"""Matrices of cells by genes from merged counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isthmus.config.models import CONTROL_PATTERNS
from isthmus.tables.counts import count_tables, is_control

FEATURES = ["Zeb2", "NegControlProbe_1", "Actb", "Blank-7", "Cd3e"]
IDS = np.array([2, 5, 9], dtype=np.int64)


def _tables(rows, features=FEATURES, ids=IDS):
    rows = np.array(rows, dtype=np.int64).reshape(-1, 5)
    index = pd.Index([f"s-{i}" for i in ids])
    return count_tables(rows, ids=ids, features=features, control_patterns=CONTROL_PATTERNS, index=index)


def test_against_plain_counting():
    random = np.random.default_rng(0)
    rows = np.array(
        [[i, f, *random.integers(0, 3, 3)] for i in IDS for f in range(5) if random.random() < 0.8]
    )
    made = _tables(rows)
    assert made.genes == ["Actb", "Cd3e", "Zeb2"]
    for id_, feature, nucleus, cytoplasm, _ in rows:
        name, at = FEATURES[feature], int(np.searchsorted(IDS, id_))
        if name in made.genes:
            assert made.counts[at, made.genes.index(name)] == nucleus + cytoplasm
            assert made.nucleus_counts[at, made.genes.index(name)] == nucleus
        else:
            assert made.controls.loc[f"s-{id_}", name] == nucleus + cytoplasm
    genes = [FEATURES.index(gene) for gene in made.genes]
    assert made.counts.sum() == rows[np.isin(rows[:, 1], genes)][:, 2:4].sum()
    low = [rows[rows[:, 0] == i, 4].sum() for i in IDS]
    assert made.n_low_quality.tolist() == low


def test_zeros_are_not_stored():
    made = _tables([[2, 0, 0, 0, 4], [5, 2, 0, 3, 0]])
    assert made.counts.nnz == 1
    assert made.nucleus_counts.nnz == 0
    assert made.n_low_quality.tolist() == [4, 0, 0]


def test_matrices_are_sorted_integers():
    made = _tables([[5, 0, 1, 0, 0], [5, 2, 1, 0, 0], [5, 4, 1, 0, 0]])
    assert made.counts.dtype == np.int32
    assert made.counts.has_sorted_indices
    assert made.counts.toarray().tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]


def test_no_transcripts_no_features_no_cells():
    assert _tables([]).counts.shape == (3, 3)
    assert _tables([], features=[]).counts.shape == (3, 0)
    none = _tables([], ids=np.empty(0, np.int64))
    assert none.counts.shape == (0, 3)
    assert none.controls.shape == (0, 2)


def test_only_genes_or_only_controls():
    made = _tables([[2, 0, 1, 1, 0]], features=["Blank-1"])
    assert made.counts.shape == (3, 0)
    assert made.controls["Blank-1"].tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NegControlProbe_00042", True),
        ("BLANK_0001", True),
        ("Blank-1", True),
        ("Negr1", False),
        ("Blnk", False),
    ],
)
def test_controls_by_the_beginning_of_their_names(name, expected):
    assert is_control([name], CONTROL_PATTERNS).tolist() == [expected]
    assert is_control([f"x{name}"], CONTROL_PATTERNS).tolist() == [False]
    assert not is_control([name], ()).any()
