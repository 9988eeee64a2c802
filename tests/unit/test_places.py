"""Niches, co-occurrence, spatial genes and distances, against what was built in and against brute force."""

import numpy as np
import pandas as pd
import pytest
from analyse_cells import table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.analyse.co_occurrence import co_occurrence
from isthmus.analyse.neighbourhood import neighbour_pairs
from isthmus.analyse.niches import distances_to, find_niches, surroundings
from isthmus.analyse.places import describe_places
from isthmus.analyse.spatial_genes import find_spatial_genes
from isthmus.errors import UserError


def lattice(n=20, step=10.0):
    y, x = np.mgrid[:n, :n]
    return np.column_stack([x.ravel() * step, y.ravel() * step]).astype(float)


def halves(n=20):
    """Left half A, right half a fine mixture of B and C."""
    place = lattice(n)
    mixed = np.where((place.sum(axis=1) // 10) % 2 == 0, "B", "C")
    return place, pd.Series(np.where(place[:, 0] < n * 5, "A", mixed))


def test_niches_follow_what_lies_around_not_the_types_alone():
    place, types = halves()
    niche, made = find_niches(types, place, np.zeros(len(place), int), n_niches=2, n_neighbours=8)
    left = place[:, 0] < 80
    assert len(set(niche[left])) == 1
    right = place[:, 0] > 120
    assert len(set(niche[right])) == 1
    assert niche[0] != niche[-1]
    assert made["n_cells"].tolist() == sorted(made["n_cells"], reverse=True)
    assert made["n_cells"].sum() == len(place)
    np.testing.assert_allclose(made[["A", "B", "C"]].sum(axis=1), 1, rtol=1e-6)
    of_left = made.set_index("niche").loc[niche[0]]
    assert of_left["A"] > 0.9


def test_niches_repeat_and_need_no_more_surroundings_than_there_are():
    place, types = halves()
    groups = np.zeros(len(place), int)
    first, second = (find_niches(types, place, groups, seed=3)[0] for _ in range(2))
    assert list(first) == list(second)
    alone = find_niches(pd.Series(["A"] * 5), place[:5], np.zeros(5, int), n_niches=4)
    assert alone[1]["niche"].tolist() == ["0"]


def test_cells_of_other_images_are_no_surroundings():
    place = np.repeat(lattice(4), 2, axis=0)
    groups = np.tile([0, 1], 16)
    shares = surroundings(groups.copy(), 2, place, groups, n_neighbours=5)
    assert shares[groups == 0].tolist() == [[1, 0]] * 16
    assert shares[groups == 1].tolist() == [[0, 1]] * 16


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10_000))
def test_co_occurrence_counts_as_brute_force_does(n, seed):
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 60, (n, 2)).astype(float)
    types = pd.Series(rng.choice(list("AB"), n))
    groups = rng.integers(0, 2, n)
    found = co_occurrence(types, place, groups, edges_um=(10.0, 30.0)).set_index(
        ["type_a", "type_b", "to_um"]
    )
    distance = np.sqrt(((place[:, None] - place) ** 2).sum(axis=2))
    there = (groups[:, None] == groups) & ~np.eye(n, dtype=bool)
    for (a, b, to_um), row in found.iterrows():
        pair = (types == a).to_numpy()[:, None] & (types == b).to_numpy()
        low = -1.0 if to_um == 10 else 10.0
        assert row["n_pairs"] == (there & pair & (distance > low) & (distance <= to_um)).sum()


def test_co_occurrence_is_one_where_types_are_mixed_at_random_and_more_where_they_are_not():
    rng = np.random.default_rng(0)
    place = lattice(40)
    groups = np.zeros(len(place), int)
    shuffled = co_occurrence(pd.Series(rng.choice(list("AB"), len(place))), place, groups, edges_um=(30.0,))
    assert shuffled["ratio"].between(0.95, 1.05).all()
    _, types = halves(40)
    parted = co_occurrence(types, place, groups, edges_um=(15.0, 100.0)).set_index(
        ["type_a", "type_b", "to_um"]
    )
    assert parted.loc[("A", "A", 15.0), "ratio"] > 1.8
    assert parted.loc[("A", "B", 15.0), "ratio"] < 0.1
    assert parted.loc[("B", "B", 15.0), "ratio"] < parted.loc[("B", "C", 15.0), "ratio"]
    assert parted.loc[("A", "A", 100.0), "ratio"] < parted.loc[("A", "A", 15.0), "ratio"]


def test_morans_i_is_that_of_the_formula_and_its_p_values_are_honest():
    rng = np.random.default_rng(1)
    place = lattice(20)
    groups = np.zeros(len(place), int)
    values = rng.normal(size=(len(place), 200))
    found = find_spatial_genes(values, [f"g{i}" for i in range(200)], place, groups, n_neighbours=4)
    assert 0.02 < (found["p_value"] < 0.05).mean() < 0.09
    pairs = neighbour_pairs(place, groups, n_neighbours=4)
    one = values[:, 7] - values[:, 7].mean()
    by_hand = len(place) / len(pairs) * (one[pairs[:, 0]] * one[pairs[:, 1]]).sum() / (one**2).sum()
    assert found.set_index("gene").loc["g7", "morans_i"] == pytest.approx(by_hand)


def test_a_gradient_is_spatial_and_a_difference_between_samples_is_not():
    rng = np.random.default_rng(2)
    place = np.tile(lattice(12), (2, 1))
    groups = np.repeat([0, 1], 144)
    values = rng.normal(size=(288, 3))
    values[:, 0] += place[:, 0] / 20
    values[:, 1] += 5 * groups
    found = find_spatial_genes(values, ["gradient", "batch", "noise"], place, groups).set_index("gene")
    assert found.loc["gradient", "p_adjusted"] < 1e-6
    assert found.loc["batch", "p_value"] > 0.001
    assert found.index[0] == "gradient"


def test_constant_genes_and_too_few_cells_give_no_row():
    place = lattice(8)
    groups = np.zeros(64, int)
    assert find_spatial_genes(np.ones((64, 2)), ["a", "b"], place, groups).empty
    assert find_spatial_genes(np.eye(5), list("abcde"), place[:5], groups[:5]).empty


def test_distances_are_to_the_nearest_other_cell_of_the_image():
    place = np.array([[0.0, 0], [3, 4], [10, 0], [0, 0], [0, 7]])
    types = pd.Series(["A", "B", "A", "A", "C"])
    found = distances_to(types, ["A", "B"], place, np.array([0, 0, 0, 1, 1]))
    assert found["A"].tolist()[:3] == pytest.approx([10, 5, 10])
    assert np.isnan(found["A"][3])
    assert found["A"][4] == 7
    assert found["B"].tolist()[:3] == pytest.approx([5, np.nan, np.sqrt(65)], nan_ok=True)
    assert found["B"][3:].isna().all()


def test_only_what_is_asked_for_is_added():
    place, types = halves(8)
    table = table_of(np.ones((64, 4)), spatial=place)
    table.obs["kind"] = types.to_numpy()
    plain = table.copy()
    describe_places(plain, "kind", np.zeros(64, int), max_distance_um=15.0)
    assert set(plain.uns) == {"isthmus"}
    describe_places(
        table,
        "kind",
        np.zeros(64, int),
        max_distance_um=15.0,
        n_niches=2,
        co_occurrence_um=(20.0,),
        distances_to=("A",),
    )
    assert {"niches", "co_occurrence"} <= set(table.uns)
    assert "niche" in table.obs
    assert list(table.obsm["distance_um"]) == ["A"]


def test_a_type_that_no_cell_has_is_told():
    table = table_of(np.ones((3, 4)))
    table.obs["kind"] = ["Tumour", "Stroma", "Stroma"]
    with pytest.raises(UserError, match="no cell is of type 'Tumor'; did you mean 'Tumour'"):
        describe_places(table, "kind", np.zeros(3, int), max_distance_um=9.0, distances_to=["Tumor"])
