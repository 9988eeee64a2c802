"""Quality of counts: what lies outside cells, noise, leakage and fields that stand out, against counts made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from isthmus.analyse.count_quality import LEAST_CELLS, measure_counts, robust_z
from isthmus.tables.overlaps import add_overlaps


def table_of(counts, controls=None, spatial=None, **obs) -> AnnData:
    counts = np.asarray(counts)
    table = AnnData(
        X=csr_matrix(counts),
        obs=pd.DataFrame(
            {"n_counts": counts.sum(axis=1), **obs}, index=[f"a-{k}" for k in range(counts.shape[0])]
        ),
        var=pd.DataFrame(index=[f"G{k}" for k in range(counts.shape[1])]),
    )
    table.layers["counts"] = csr_matrix(counts)
    table.obsm["spatial"] = np.zeros((table.n_obs, 2)) if spatial is None else np.asarray(spatial, float)
    if controls is not None:
        names = [f"Neg{k}" for k in range(np.shape(controls)[1])]
        table.obsm["controls"] = pd.DataFrame(controls, index=table.obs_names, columns=names)
    return table


def measured(table, transcripts=None, markers=(), field_um=100.0):
    return measure_counts(table, transcripts=transcripts, exclusive_markers=markers, field_um=field_um)


def test_the_share_outside_cells_is_that_of_genes():
    kinds = {
        "gene": {"none": 30, "nucleus": 50, "cytoplasm": 20},
        "control": {"none": 9, "nucleus": 0, "cytoplasm": 0},
    }
    assert measured(table_of([[1, 2]]), {"by_kind": kinds})["outside_cells"] == 0.3
    assert measured(table_of([[1, 2]]))["outside_cells"] is None


def test_noise_is_a_control_beside_a_gene():
    # 12 counts of 3 genes are 4 a gene, 2 of 4 controls half a control.
    found = measured(table_of([[1, 2, 3], [6, 0, 0]], [[1, 0, 0, 0], [0, 1, 0, 0]]))
    assert found["negative_rate"] == 0.5 / 4
    assert measured(table_of([[1, 2]]))["negative_rate"] is None


def test_leakage_is_cells_with_both_of_a_pair():
    table = table_of([[1, 0, 5], [0, 2, 0], [3, 1, 0], [0, 0, 9]])
    found = measured(table, markers=["G0:G1", "G0:G2", "G0:Other"])
    assert [(row["either"], row["both"]) for row in found["pairs"]] == [(3, 1), (3, 1), (0, 0)]
    assert found["double_positive"] == 2 / 6
    assert found["pairs"][2]["missing"] == ["Other"]
    assert measured(table)["double_positive"] is None


def test_a_field_that_stands_out_is_told_and_each_cell_knows():
    medians = [20, 22, 21, 19, 18, 3]
    counts = np.repeat(medians, LEAST_CELLS)[:, np.newaxis]
    fov = np.repeat([str(k) for k in range(6)], LEAST_CELLS)
    table = table_of(counts, fov=pd.Categorical(fov))
    found = measured(table)
    assert found["fields_are"] == "fields of view"
    assert found["conspicuous"] == ["5"]
    deviation = 1.4826 * np.median(np.abs(np.array(medians) - 19.5))
    assert found["fields"][5]["z"] == pytest.approx((3 - 19.5) / deviation)
    assert table.obs["field_z"].to_numpy()[-1] == pytest.approx((3 - 19.5) / deviation)


def test_squares_stand_in_for_fields():
    spatial = [(10, 10), (99, 50), (101, 10), (-1, 10)]
    found = measured(table_of([[1], [3], [5], [7]], spatial=spatial))
    assert found["fields_are"] == "squares of 100 um"
    rows = {row["field"]: (row["n_cells"], row["median_counts"], row["z"]) for row in found["fields"]}
    assert rows == {
        "x 0 y 0 um": (2, 2.0, None),
        "x 100 y 0 um": (1, 5.0, None),
        "x -100 y 0 um": (1, 7.0, None),
    }
    assert found["conspicuous"] == []


@given(st.lists(st.integers(0, 5000), min_size=5, max_size=30), st.integers(1, 20), st.integers(-100, 100))
def test_a_robust_z_heeds_neither_scale_nor_shift(values, scale, shift):
    numbers, good = np.array(values, dtype=float), np.ones(len(values), dtype=bool)
    np.testing.assert_allclose(robust_z(numbers, good), robust_z(numbers * scale + shift, good), atol=1e-9)


def test_a_table_without_cells_has_nothing_to_tell():
    found = measured(table_of(np.zeros((0, 2), int), np.zeros((0, 1), int)), markers=["G0:G1"])
    assert found["negative_rate"] is None
    assert found["double_positive"] is None
    assert found["fields"] == []


def test_overlaps_are_the_same_however_images_are_cut():
    generator = np.random.default_rng(3)
    one = np.kron(generator.integers(0, 9, (8, 8)), np.ones((5, 5), int)).astype(np.int64) * (2**61)
    other = np.roll(one, 2, axis=1) // (2**60)
    whole = add_overlaps([(one, other)])
    cut = add_overlaps((one[a : a + 7], other[a : a + 7]) for a in range(0, 40, 7))
    for name in ("ids_a", "area_a", "ids_b", "area_b", "pair_a", "pair_b", "shared"):
        assert np.array_equal(getattr(whole, name), getattr(cut, name)), name
    for a, b, iou in zip(whole.pair_a, whole.pair_b, whole.iou(), strict=True):
        assert iou == ((one == a) & (other == b)).sum() / ((one == a) | (other == b)).sum()


def test_the_same_image_matches_itself_and_an_empty_one_nothing():
    image = np.kron(np.arange(9).reshape(3, 3), np.ones((4, 4), int))
    same = add_overlaps([(image, image)])
    assert same.f1() == 1.0
    assert same.matches()[0].tolist() == list(range(1, 9))
    assert add_overlaps([(image, np.zeros_like(image))]).f1() == 0.0
    assert add_overlaps([(np.zeros_like(image), np.zeros_like(image))]).f1() is None
