"""How far our cells agree with the vendor's, against scikit-learn and plain counting."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from isthmus.tables.agreement import TranscriptTally, adjusted_rand_index, vendor_cells_by_plane

COMPARTMENTS = pa.array(["none", "nucleus", "cytoplasm"])


def _batch(genes, ours, parts, *, vendor=None, flag=None, qv=None):
    columns = {
        "gene": pa.array(genes).dictionary_encode(),
        "instance_id": pa.array(ours, pa.int64()),
        "compartment": pa.DictionaryArray.from_arrays(pa.array(parts, pa.int8()), COMPARTMENTS),
    }
    if vendor is not None:
        columns["vendor_cell_id"] = pa.array(vendor, pa.string())
    if flag is not None:
        columns["overlaps_nucleus"] = pa.array(flag, pa.bool_())
    if qv is not None:
        columns["qv"] = pa.array(qv, pa.float32())
    return pa.RecordBatch.from_pydict(columns)


def _tally(*batches, inside=None, controls=("ctrl",)):
    tally = TranscriptTally(controls=frozenset(controls), min_qv=20.0)
    for batch in batches:
        codes = batch.column("compartment").indices.to_numpy()
        tally.add(batch, codes, np.ones(batch.num_rows, bool) if inside is None else inside)
    return tally


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("groups", [(1, 1), (1, 5), (4, 4), (200, 3), (60, 60)])
def test_the_rand_index_is_that_of_scikit_learn(seed, groups):
    random = np.random.default_rng(seed)
    one, other = (random.integers(1, g + 1, 120) for g in groups)
    if seed % 2:
        other[:80] = one[:80]
    pairs = Counter(zip(one.tolist(), other.tolist(), strict=True))
    assert adjusted_rand_index(pairs) == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)


def test_equal_groupings_agree_wholly_whatever_their_names():
    assert adjusted_rand_index({(1, 9): 4, (2, 7): 3}) == 1.0
    assert adjusted_rand_index({(k, k): 1 for k in range(9)}) == 1.0


def test_one_transcript_is_no_grouping():
    assert adjusted_rand_index({}) is None
    assert adjusted_rand_index({(1, 1): 1}) is None


def test_large_numbers_do_not_overflow():
    assert adjusted_rand_index({(1, 1): 10**10, (2, 2): 10**10}) == 1.0


def test_every_transcript_is_counted_once():
    batch = _batch(
        ["a", "ctrl", "a", "b", "ctrl", "a"],
        [1, 1, 0, 2, 0, 3],
        [1, 1, 0, 2, 0, 1],
        qv=[30, 30, 10, 20, 5, float("nan")],
    )
    inside = np.array([True, True, True, True, True, False])
    found = _tally(batch, inside=inside).summary(n_cells=2, n_vendor_cells=None)
    assert found["by_kind"] == {
        "gene": {"none": 0, "nucleus": 1, "cytoplasm": 1},
        "control": {"none": 0, "nucleus": 1, "cytoplasm": 0},
        "low_quality": {"none": 2, "nucleus": 0, "cytoplasm": 0},
    }
    assert found["n_outside_image"] == 1
    assert "vendor" not in found


def test_without_quality_all_are_good_and_an_unknown_quality_is_not():
    good = _tally(_batch(["a"], [1], [1])).summary(n_cells=1, n_vendor_cells=None)
    assert good["by_kind"]["gene"]["nucleus"] == 1
    unknown = _tally(_batch(["a"], [1], [1], qv=[float("nan")])).summary(n_cells=1, n_vendor_cells=None)
    assert unknown["by_kind"]["low_quality"]["nucleus"] == 1


def _reference(vendor, ours):
    both = [(a, b) for a, b in zip(vendor, ours, strict=True) if a is not None and b]
    return adjusted_rand_score([a for a, _ in both], [b for _, b in both]), len(both)


def test_agreement_batch_by_batch():
    random = np.random.default_rng(3)
    n = 400
    vendor = [None if random.random() < 0.2 else f"cell-{c}" for c in random.integers(0, 12, n)]
    ours = random.integers(0, 10, n)
    parts = np.where(ours > 0, random.integers(1, 3, n), 0)
    flag = random.random(n) < 0.4
    batches = [
        _batch(["a"] * (stop - start), ours[start:stop], parts[start:stop], vendor=vendor[start:stop],
               flag=flag[start:stop])
        for start, stop in ((0, 1), (1, 150), (150, 150), (150, n))
    ]  # fmt: skip
    found = _tally(*batches).summary(n_cells=9, n_vendor_cells=None)["vendor"]
    index, n_both = _reference(vendor, ours)
    assert found["adjusted_rand_index"] == pytest.approx(index, abs=1e-12)
    assert found["n_assigned_by_both"] == n_both
    assert found["n_assigned_by_vendor"] == sum(v is not None for v in vendor)
    assert found["n_assigned_here"] == np.count_nonzero(ours)
    assert found["n_vendor_cells"] == len({v for v in vendor if v is not None})
    in_nuclei = parts == 1
    assert found["nucleus_recall"] == (flag & in_nuclei).sum() / flag.sum()
    assert found["nucleus_precision"] == (flag & in_nuclei).sum() / in_nuclei.sum()


def test_controls_and_transcripts_outside_say_nothing_of_agreement():
    batch = _batch(
        ["a", "ctrl", "a"], [1, 1, 1], [1, 1, 1], vendor=["x", "x", "x"], flag=[True] * 3, qv=[30, 30, 30]
    )
    found = _tally(batch, inside=np.array([True, True, False])).summary(n_cells=1, n_vendor_cells=7)["vendor"]
    assert found["n_assigned_by_both"] == 1
    assert found["n_vendor_cells"] == 7


def test_nothing_assigned_is_no_number_rather_than_a_division_by_zero():
    batch = _batch(["a", "a"], [0, 0], [0, 0], vendor=[None, None], flag=[False, False])
    found = _tally(batch).summary(n_cells=0, n_vendor_cells=None)["vendor"]
    assert found["adjusted_rand_index"] is None
    assert found["nucleus_recall"] is None
    assert found["nucleus_precision"] is None
    assert found["n_assigned_by_both"] == 0


def test_a_vendors_cell_is_another_one_in_each_plane():
    batch = _batch(["A"] * 4, [1, 2, 2, 0], [1, 1, 1, 0], vendor=["7", "7", "8", None])
    batch = batch.append_column("z_um", pa.array([0.75, 2.25, 1.5, 0.0]))
    named = vendor_cells_by_plane(batch, 1.5)["vendor_cell_id"].to_pylist()
    assert named == ["7 in plane 0", "7 in plane 1", "8 in plane 1", None]
    without = _batch(["A"], [1], [1])
    assert vendor_cells_by_plane(without, 1.5) is without
