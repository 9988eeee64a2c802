"""Counts of blocks joined, and matrices of cells by genes made of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from block_store import assert_same_counts
from hypothesis import given
from hypothesis import strategies as st

from isthmus.config.models import CONTROL_PATTERNS
from isthmus.quantify.counts import narrow
from isthmus.tables.counts import alphabetical, count_tables, is_control, merge_counts

FEATURES = ["Zeb2", "NegControlProbe_1", "Actb", "Blank-7", "Cd3e"]
IDS = np.array([2, 5, 9], dtype=np.int64)


def _record(rows, low=()):
    """A block's record of rows (id, feature, nucleus, cytoplasm), in any order, and of pairs (id, low quality)."""
    rows = sorted((tuple(row) for row in rows), key=lambda row: row[0])  # the order in a cell stays as it is
    ids = sorted({row[0] for row in rows} | {pair[0] for pair in low})
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return {
        "point_ids": np.array(ids, dtype=np.int64),
        "count_low": narrow(np.array([dict(low).get(i, 0) for i in ids], dtype=np.int64)),
        "count_entries": narrow(np.array([(columns[:, 0] == i).sum() for i in ids], dtype=np.int64)),
        "count_feature": narrow(columns[:, 1]),
        "count_nucleus": narrow(columns[:, 2]),
        "count_cytoplasm": narrow(columns[:, 3]),
    }


def _merged(*records, features=FEATURES, ids=IDS):
    return merge_counts(records, ids=ids, place=alphabetical(features))


def _tables(rows, low=(), *, features=FEATURES, ids=IDS, blocks=1):
    parts = [_record(rows[k::blocks], low[k::blocks]) for k in range(blocks)]
    index = pd.Index([f"s-{i}" for i in ids])
    merged = _merged(*parts, features=features, ids=ids)
    return count_tables(merged, features=features, control_patterns=CONTROL_PATTERNS, index=index)


@pytest.mark.parametrize("blocks", [1, 2, 7])
def test_against_plain_counting(blocks):
    random = np.random.default_rng(blocks)
    rows = [
        [int(random.choice(IDS)), int(random.integers(5)), int(nucleus), int(1 - nucleus)]
        for nucleus in random.integers(0, 2, 60)
    ]
    # In one block, a cell has each feature once.
    unique = [
        dict(zip(map(tuple, np.array(rows[k::blocks])[:, :2].tolist()), rows[k::blocks], strict=True))
        for k in range(blocks)
    ]
    low = [(2, 4), (9, 3), (2, 1)][:blocks]
    made = count_tables(
        _merged(*(_record(unique[k].values(), low[k : k + 1]) for k in range(blocks))),
        features=FEATURES,
        control_patterns=CONTROL_PATTERNS,
        index=pd.Index([f"s-{i}" for i in IDS]),
    )
    assert made.genes == ["Actb", "Cd3e", "Zeb2"]
    whole, nucleus = np.zeros((3, 5), int), np.zeros((3, 5), int)
    for part in unique:
        for id_, feature, in_nucleus, outside in part.values():
            whole[np.searchsorted(IDS, id_), feature] += in_nucleus + outside
            nucleus[np.searchsorted(IDS, id_), feature] += in_nucleus
    genes = [FEATURES.index(gene) for gene in made.genes]
    assert np.array_equal(made.counts.toarray(), whole[:, genes])
    assert np.array_equal(made.nucleus_counts.toarray(), nucleus[:, genes])
    controls = [FEATURES.index(name) for name in made.controls.columns]
    assert np.array_equal(made.controls.to_numpy(), whole[:, controls])
    assert made.n_low_quality.tolist() == [sum(n for i, n in low if i == id_) for id_ in IDS]


@given(st.data())
def test_any_share_of_rows_among_blocks_gives_the_same(data):
    n_features = data.draw(st.integers(1, 6))
    row = st.tuples(
        st.sampled_from(IDS.tolist()),
        st.integers(0, n_features - 1),
        st.integers(0, 300),
        st.integers(1, 300),
    )
    blocks = data.draw(st.lists(st.lists(row, max_size=12, unique_by=lambda r: r[:2]), max_size=4))
    place = np.array(data.draw(st.permutations(range(n_features))), dtype=np.int32)
    merged = merge_counts([_record(rows) for rows in blocks], ids=IDS, place=place)
    wanted = np.zeros((IDS.size, n_features, 2), dtype=int)
    for id_, feature, nucleus, outside in (row for rows in blocks for row in rows):
        wanted[np.searchsorted(IDS, id_), place[feature]] += (outside, nucleus)
    found = np.zeros_like(wanted)
    for k in range(IDS.size):
        entries = slice(merged.start[k], merged.start[k + 1])
        assert (np.diff(merged.feature[entries]) > 0).all()
        found[k, merged.feature[entries]] = merged.counts[entries]
    assert np.array_equal(found, wanted)
    assert merged.feature.size == (wanted.sum(axis=2) > 0).sum() == merged.start[-1]
    assert_same_counts(
        merged, merge_counts([_record(rows[::-1]) for rows in blocks[::-1]], ids=IDS, place=place)
    )


def test_a_cell_in_two_blocks_has_the_sum():
    rows = [[2, 0, 1, 0], [2, 0, 4, 5], [9, 3, 0, 2]]
    made = _tables(rows, [(2, 1), (2, 3), (5, 2)], blocks=2)
    assert made.counts.toarray().tolist() == [[0, 0, 10], [0, 0, 0], [0, 0, 0]]
    assert made.nucleus_counts.toarray().tolist() == [[0, 0, 5], [0, 0, 0], [0, 0, 0]]
    assert made.controls["Blank-7"].tolist() == [0, 0, 2]
    assert made.n_low_quality.tolist() == [4, 2, 0]


def test_zeros_are_not_stored():
    made = _tables([[5, 2, 0, 3]], [(2, 4)])
    assert made.counts.nnz == 1
    assert made.nucleus_counts.nnz == 0
    assert made.n_low_quality.tolist() == [4, 0, 0]


def test_matrices_are_sorted_integers():
    made = _tables([[5, 0, 1, 0], [5, 2, 1, 0], [5, 4, 1, 0]])
    for matrix in (made.counts, made.nucleus_counts):
        assert matrix.dtype == np.int32
        assert np.array_equal(matrix.sorted_indices().indices, matrix.indices)
        matrix.check_format(full_check=True)
    assert made.counts.toarray().tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]


def test_no_transcripts_no_features_no_cells():
    assert _tables([]).counts.shape == (3, 3)
    assert _tables([], features=[]).counts.shape == (3, 0)
    none = _tables([], ids=np.empty(0, np.int64))
    assert none.counts.shape == (0, 3)
    assert none.controls.shape == (0, 2)
    merged = merge_counts([], ids=IDS, place=alphabetical(FEATURES))
    assert merged.start.tolist() == [0, 0, 0, 0]


def test_only_genes_or_only_controls():
    made = _tables([[2, 0, 1, 1]], features=["Blank-1"])
    assert made.counts.shape == (3, 0)
    assert made.controls["Blank-1"].tolist() == [2, 0, 0]


def test_more_features_than_sixteen_bits_hold():
    features = [f"g{k:06d}" for k in range(70_000)]
    made = _tables([[2, 69_999, 0, 1], [2, 0, 300, 70_000]], features=features)
    assert made.counts.shape == (3, 70_000)
    assert (made.counts[0, 69_999], made.counts[0, 0], made.counts.nnz) == (1, 70_300, 2)


def test_the_narrowest_type_holds_all():
    for most, dtype in [(0, "u1"), (255, "u1"), (256, "u2"), (65_535, "u2"), (65_536, "u4"), (2**32, "u8")]:
        made = narrow(np.array([0, most], dtype=np.int64))
        assert made.dtype == dtype
        assert made.tolist() == [0, most]
    assert narrow(np.empty(0, np.int64)).dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NegControlProbe_00042", True),
        ("BLANK_0001", True),
        ("Blank-1", True),
        ("NegPrb12", True),
        ("Negative03", True),
        ("SystemControl7", True),
        ("FalseCode1", True),
        ("Negr1", False),
        ("Blnk", False),
    ],
)
def test_controls_by_the_beginning_of_their_names(name, expected):
    assert is_control([name], CONTROL_PATTERNS).tolist() == [expected]
    assert is_control([f"x{name}"], CONTROL_PATTERNS).tolist() == [False]
    assert not is_control([name], ()).any()
