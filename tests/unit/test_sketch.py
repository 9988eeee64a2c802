"""Cohorts of more cells than are clustered themselves."""

import anndata
import numpy as np
import pandas as pd
import pytest
from analyse_cells import three_populations
from sklearn.metrics import adjusted_rand_score

from isthmus.analyse.cluster import cluster_cells
from isthmus.analyse.sketch import draw_cells


def cohort(n_each=200):
    parts = [three_populations(n_each=n_each, seed=seed, sample=name) for seed, name in enumerate("ab")]
    table = anndata.concat(parts)
    table.obs["sample"] = table.obs["sample"].astype("category")
    return table


@pytest.fixture(scope="module")
def sketched():
    table = cohort()
    markers = cluster_cells(table, n_components=5, most_cells=300)
    return table, markers


def test_all_cells_get_a_cluster_and_a_place_of_those_that_were_clustered(sketched):
    table, _ = sketched
    assert table.obs["clustered"].sum() == 300
    assert table.obs.groupby("sample", observed=True)["clustered"].sum().tolist() == [150, 150]
    assert table.obs["leiden"].notna().all()
    assert np.isfinite(table.obsm["X_umap"]).all()
    assert "connectivities" not in table.obsp


def test_the_others_follow_rightly(sketched):
    table, markers = sketched
    major = pd.crosstab(table.obs["leiden"], table.obs["truth"]).idxmax(axis=1)
    right = major.loc[table.obs["leiden"]].to_numpy() == table.obs["truth"].to_numpy()
    itself = table.obs["clustered"].to_numpy()
    assert right[~itself].mean() > 0.9
    assert right[~itself].mean() > right[itself].mean() - 0.05
    assert set(markers["cluster"]) == set(table.obs["leiden"])


def test_clusters_are_nearly_those_of_all_cells(sketched):
    whole = cohort()
    cluster_cells(whole, n_components=5)
    assert "clustered" not in whole.obs
    types = [table.obs["truth"].to_numpy() for table in (whole, sketched[0])]
    agreed = [
        adjusted_rand_score(t, table.obs["leiden"])
        for t, table in zip(types, (whole, sketched[0]), strict=True)
    ]
    assert agreed[1] > agreed[0] - 0.15


def test_the_draw_is_even_rising_and_repeats():
    samples = pd.Series(["a"] * 900 + ["b"] * 90 + ["c"])
    rows = draw_cells(samples, 100, seed=1)
    assert (np.diff(rows) > 0).all()
    assert samples.iloc[rows].value_counts().to_dict() == {"a": 90, "b": 9, "c": 1}
    np.testing.assert_array_equal(rows, draw_cells(samples, 100, seed=1))
    assert not np.array_equal(rows, draw_cells(samples, 100, seed=2))
