import numpy as np
import pandas as pd
import pytest
from analyse_cells import table_of, three_populations
from sklearn.metrics import adjusted_rand_score

from isthmus.analyse import cluster as clustering
from isthmus.analyse.cluster import MARKER_COLUMNS, _by_size, cluster_cells
from isthmus.analyse.compiled import keep_compiled


@pytest.fixture(scope="module")
def clustered():
    table = three_populations()
    markers = cluster_cells(table, n_components=10, leiden_resolution=0.3)
    return table, markers


def test_clusters_are_the_populations(clustered):
    table, _ = clustered
    assert adjusted_rand_score(table.obs["truth"], table.obs["leiden"]) > 0.95
    assert list(table.obs["leiden"].cat.categories) == ["0", "1", "2"]


def test_counts_stay_and_expression_is_normalised_to_the_median(clustered):
    table, _ = clustered
    assert table.layers["counts"].dtype == np.int32
    assert table.X.dtype == np.float32
    totals = np.expm1(table.X.toarray().astype(float)).sum(axis=1)
    np.testing.assert_allclose(totals, np.median(table.obs["n_counts"]), rtol=1e-4)


def test_markers_are_the_genes_of_each_population(clustered):
    table, markers = clustered
    assert tuple(markers.columns) == MARKER_COLUMNS
    for cluster, rows in markers.groupby("cluster"):
        kind = int(table.obs.loc[table.obs["leiden"] == cluster, "truth"].mode()[0])
        best = set(rows.head(6)["gene"])
        assert best == {f"G{number}" for number in range(kind * 6, kind * 6 + 6)}
    assert (markers.groupby("cluster")["score"].diff().dropna() <= 0).all()


def test_the_map_keeps_populations_together(clustered):
    table, _ = clustered
    xy = table.obsm["X_umap"]
    centres = np.stack([xy[table.obs["truth"] == kind].mean(axis=0) for kind in range(3)])
    nearest = np.linalg.norm(xy[:, None] - centres[None], axis=2).argmin(axis=1)
    assert (nearest == table.obs["truth"]).mean() > 0.9


def test_the_same_seed_repeats_to_the_bit(clustered):
    table, markers = clustered
    again = three_populations()
    same = cluster_cells(again, n_components=10, leiden_resolution=0.3)
    assert table.obsm["X_pca"].tobytes() == again.obsm["X_pca"].tobytes()
    assert table.obsm["X_umap"].tobytes() == again.obsm["X_umap"].tobytes()
    assert table.obs["leiden"].tolist() == again.obs["leiden"].tolist()
    assert markers.equals(same)


def test_only_many_genes_are_reduced_to_the_variable_ones():
    table = three_populations()
    cluster_cells(table, n_top_genes=12)
    assert table.var["highly_variable"].sum() == 12
    assert table.n_vars == 30


@pytest.mark.parametrize(
    "counts",
    [
        np.full((3, 30), 5) + np.arange(30),
        np.arange(1, 31)[:, None],
        np.zeros((20, 30)),
        np.full((20, 30), 2),
    ],
    ids=["3 cells", "1 gene", "all zero", "all alike"],
)
def test_too_little_to_cluster_gives_one_cluster_and_no_map(counts):
    table = table_of(counts)
    markers = cluster_cells(table)
    assert set(table.obs["leiden"]) == {"0"}
    assert np.isnan(table.obsm["X_umap"]).all()
    assert markers.empty
    assert tuple(markers.columns) == MARKER_COLUMNS


@pytest.mark.parametrize(
    "counts",
    [
        np.random.default_rng(0).poisson(3, (10, 3)),
        np.random.default_rng(1).poisson(3, (12, 40)),
        np.vstack([np.random.default_rng(2).poisson(3, (20, 8)), np.zeros((2, 8), int)]),
        np.repeat(np.eye(4, dtype=int) * 9, 5, axis=0),
    ],
    ids=["smallest", "few cells", "empty cells", "cells all the same within groups"],
)
def test_small_tables_are_clustered_without_complaint(counts):
    table = table_of(counts)
    cluster_cells(table)
    assert np.isfinite(table.obsm["X_umap"]).all()
    assert table.obs["leiden"].notna().all()


def test_many_clusters_are_no_complaint():
    # 40 groups of 6 cells, each with a gene of its own: markers of so many groups made scanpy warn.
    counts = np.random.default_rng(0).poisson(0.3, (240, 40)) + np.repeat(
        np.eye(40, dtype=int) * 40, 6, axis=0
    )
    table = table_of(counts)
    markers = cluster_cells(table, n_components=39, n_neighbours=4)
    assert table.obs["leiden"].nunique() > 30
    assert markers["cluster"].nunique() == table.obs["leiden"].nunique()


def test_functions_of_umap_are_kept_and_nowhere_to_keep_them_is_no_fault(clustered, monkeypatch):
    from umap import umap_

    assert umap_.smooth_knn_dist.stats.cache_path is not None

    def refuse():
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(umap_.smooth_knn_dist, "enable_caching", refuse)
    keep_compiled()


def test_many_cells_have_a_graph_too():
    """From 8192 cells on scanpy would search in a way that fails with the versions in the lock."""
    many = table_of(np.random.default_rng(0).poisson(40.0, (8200, 12)))
    many.X = many.X.astype(np.float32)
    many.var["highly_variable"] = True
    clustering._reduce(many, n_components=5, seed=0)
    clustering._connect(many, n_neighbours=5, seed=0)
    assert many.n_obs > 8192
    assert many.obsp["connectivities"].nnz > many.n_obs


@pytest.mark.slow
def test_very_many_cells_are_clustered_by_the_search_that_scales(monkeypatch, clustered):
    monkeypatch.setattr(clustering, "EXACT_CELLS", 50)
    table = three_populations()
    cluster_cells(table, n_components=10, leiden_resolution=0.3)
    exact, _ = clustered
    assert adjusted_rand_score(exact.obs["leiden"], table.obs["leiden"]) > 0.9


def test_clusters_are_named_by_falling_size():
    whole = three_populations(n_each=60)
    table = whole[np.r_[0:12, 60:120, 120:150]].copy()  # the smallest comes first
    cluster_cells(table, n_components=10, leiden_resolution=0.3)
    sizes = table.obs["leiden"].value_counts(sort=False)
    assert sizes.index.tolist() == [str(n) for n in range(len(sizes))]
    assert sizes.tolist() == sorted(sizes, reverse=True)


def test_of_clusters_of_one_size_that_of_the_first_cell_comes_first():
    renamed = _by_size(pd.Series(["b", "c", "a", "c", "a", "d", "d", "d"]))
    assert renamed.tolist() == ["3", "1", "2", "1", "2", "0", "0", "0"]
    assert renamed.cat.categories.tolist() == ["0", "1", "2", "3"]
