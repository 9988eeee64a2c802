"""Normalisation, principal components, neighbour graph, clusters, map and marker genes, with scanpy.

Methods: scanpy (doi:10.1186/s13059-017-1382-0), Leiden (doi:10.1038/s41598-019-41695-z), UMAP
(doi:10.21105/joss.00861).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy import sparse

from isthmus.analyse.batches import CORRECTED, Method, correct_batches
from isthmus.analyse.compiled import keep_compiled
from isthmus.analyse.sketch import draw_cells, follow_nearest, part_of
from isthmus.analyse.threads import single_thread
from isthmus.analyse.transform import (
    choose_markers,
    fold_changes,
    is_intensities,
    transform_intensities,
)

# Fewer cells or genes than this have no structure to find: see `cluster_cells`.
MIN_CELLS = 10
MIN_GENES = 3

# Up to so many cells the nearest neighbours are searched exactly, which takes 30 CPU seconds then; the other search
# begins with 40 CPU seconds of compiling.
EXACT_CELLS = 100_000

MARKER_COLUMNS = ("cluster", "gene", "score", "logfoldchange", "pval_adj")


def cluster_cells(
    table: AnnData,
    *,
    n_top_genes: int = 2000,
    n_components: int = 30,
    n_neighbours: int = 15,
    most_cells: int = 100_000,
    leiden_resolution: float = 1.0,
    min_dist: float = 0.5,
    n_markers: int = 25,
    seed: int = 0,
    method: Method = "none",
    batch_column: str = "batch",
    theta: float = 2.0,
    max_rounds: int = 10,
    intensities: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Cluster the cells and find each cluster's marker genes, in place.

    X becomes float32 log1p(counts / cell total x median total of cells with counts); layers['counts'] stays
    as it is. Values are not scaled per gene: panels are chosen genes, and scaling would raise the noise of
    the rare ones. Where there is a method that corrects batches, neighbours are those in obsm `X_integrated`
    (`batches.correct_batches`; what it did is in uns['isthmus']['integration']). Adds var `highly_variable`, obs
    `leiden` (category '0', '1', ... by falling size of what is clustered), obsm `X_pca` and `X_umap`, obsp
    `distances` and `connectivities`, uns `markers`.

    With fewer than 10 cells, or fewer than 3 genes that vary, nothing can be clustered: all cells get
    cluster '0', `X_umap` is NaN, there are no markers, no `X_pca` and no graph.

    Parameters
    ----------
    table
        Cells x genes, counts in layers['counts'].
    n_top_genes
        Highly variable genes are chosen only where there are more genes than this.
    n_components, n_neighbours
        At most; fewer where the table is small.
    most_cells
        Of more cells so many are drawn, clustered and mapped, and the others follow the nearest of them
        (`sketch.follow_nearest`); markers are those of the drawn ones, and there is no graph of all cells.
    leiden_resolution
        More gives more clusters.
    min_dist
        Of UMAP: how close points may lie.
    n_markers
        Genes listed per cluster.
    seed
        Of every step that draws random numbers.
    method, batch_column, theta, max_rounds
        How batches are brought together.
    intensities
        Options of `transform.transform_intensities`, which fills X where there are no counts; clusters are then made
        from markers of role lineage.

    Returns
    -------
    Marker genes, one row a cluster and gene, best first: `cluster`, `gene`, `score` (Wilcoxon z),
    `logfoldchange` (log2), `pval_adj` (Benjamini-Hochberg). Clusters of one cell have none.
    """
    with single_thread(), warnings.catch_warnings():
        _silence_known_warnings()
        is_protein = is_intensities(table)
        varying = transform_intensities(table, **(intensities or {})) if is_protein else _normalise(table)
        integration: dict[str, Any] = {"method": method, "column": batch_column, "seed": seed}
        integration |= {"theta": theta, "max_rounds": max_rounds}
        if table.n_obs < MIN_CELLS or varying < MIN_GENES:
            markers = _leave_unclustered(table)
            noted = correct_batches(table, **integration)
        else:
            keep_compiled()
            _choose_genes(table, n_top_genes)
            _reduce(table, n_components=n_components, seed=seed)
            noted = correct_batches(table, **integration)
            part, rows = table, None
            space = CORRECTED if CORRECTED in table.obsm else "X_pca"
            if table.n_obs > most_cells:
                rows = draw_cells(table.obs["sample"], most_cells, seed)
                part = part_of(table, rows, space)
            _connect(part, n_neighbours=n_neighbours, seed=seed)
            _partition(part, leiden_resolution=leiden_resolution, min_dist=min_dist, seed=seed)
            markers = _find_markers(part, n_markers)
            if rows is not None:
                follow_nearest(table, part, rows, space)
    table.uns["markers"] = markers
    table.uns.setdefault("isthmus", {})["integration"] = noted
    return markers


def _silence_known_warnings() -> None:
    # UMAP says that a fixed seed means one thread; that is why there is a seed.
    warnings.filterwarnings("ignore", message="n_jobs value .* overridden to 1 by setting random_state")
    # scanpy collects the statistics of many clusters column by column; the frame is small.
    warnings.filterwarnings("ignore", message="DataFrame is highly fragmented")
    # UMAP has a second method that needs TensorFlow, which is not used.
    warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
    # The map of a graph in several pieces is laid out piece by piece, which is right for separate
    # populations.
    warnings.filterwarnings("ignore", message="Graph is not fully connected")
    # Fold changes of intensities, which may be below 0 once they are normalised, are computed here instead.
    warnings.filterwarnings("ignore", message="invalid value encountered in log2", category=RuntimeWarning)
    # A cell without counts stays a row of zeros; whether it takes part is the user's threshold.
    warnings.filterwarnings("ignore", message="Some cells have zero counts")


def _normalise(table: AnnData) -> int:
    """Fill X with log-normalised expression; how many genes vary."""
    import scanpy

    table.X = sparse.csr_matrix(table.layers["counts"], dtype=np.float32)
    totals = np.asarray(table.X.sum(axis=1)).ravel()
    if not totals.any():
        return 0
    # Median of the cells that have counts; left to itself scanpy counts empty cells in sparse tables only.
    scanpy.pp.normalize_total(table, target_sum=float(np.median(totals[totals > 0])))
    scanpy.pp.log1p(table)
    highest = np.asarray(table.X.max(axis=0).todense()).ravel()
    lowest = np.asarray(table.X.min(axis=0).todense()).ravel()
    return int((highest > lowest).sum())


def _leave_unclustered(table: AnnData) -> pd.DataFrame:
    table.var["highly_variable"] = True
    table.obs["leiden"] = pd.Categorical(["0"] * table.n_obs, categories=["0"])
    table.obsm["X_umap"] = np.full((table.n_obs, 2), np.nan, dtype=np.float32)
    return pd.DataFrame({name: [] for name in MARKER_COLUMNS})


def _choose_genes(table: AnnData, n_top_genes: int) -> None:
    import scanpy

    if is_intensities(table):
        choose_markers(table)
    elif table.n_vars > n_top_genes:
        scanpy.pp.highly_variable_genes(table, n_top_genes=n_top_genes)
    else:
        table.var["highly_variable"] = True


def _reduce(table: AnnData, *, n_components: int, seed: int) -> None:
    import scanpy

    usable = int(table.var["highly_variable"].sum())
    # ARPACK finds fewer components than the smaller side of the matrix.
    components = min(n_components, table.n_obs - 1, usable - 1)
    scanpy.pp.pca(
        table, n_comps=components, svd_solver="arpack", mask_var="highly_variable", random_state=seed
    )


def _connect(table: AnnData, *, n_neighbours: int, seed: int) -> None:
    import scanpy

    n_neighbours = min(n_neighbours, table.n_obs - 1)
    scanpy.pp.neighbors(
        table,
        n_neighbors=n_neighbours,
        use_rep=CORRECTED if CORRECTED in table.obsm else "X_pca",
        random_state=seed,
        transformer=_neighbour_search(table.n_obs, n_neighbours, seed),
    )


def _neighbour_search(n_obs: int, n_neighbours: int, seed: int) -> Any:
    """Exact search, whose time grows with the square of the cells, up to EXACT_CELLS; beyond, the search of UMAP.

    scanpy would take that from 8192 cells on, but cannot read the kind of matrix that its present version returns.
    """
    if n_obs <= EXACT_CELLS:
        return "sklearn"
    return _ApproximateSearch(n_neighbours, seed)


class _ApproximateSearch:
    """UMAP's search for nearest neighbours, in the form that scanpy takes."""

    def __init__(self, n_neighbours: int, seed: int) -> None:
        self._n_neighbours, self._seed = n_neighbours, seed

    def get_params(self) -> dict[str, int]:
        """What scanpy asks for."""
        return {"n_neighbors": self._n_neighbours}

    def fit_transform(self, x: npt.NDArray[np.float32]) -> sparse.csr_matrix:
        """Distances (cells x cells) of each cell to its nearest neighbours, itself among them."""
        from umap.umap_ import nearest_neighbors

        random = np.random.RandomState(self._seed)
        indices, distances, _ = nearest_neighbors(
            x, self._n_neighbours, "euclidean", {}, angular=False, random_state=random, n_jobs=1
        )
        starts = np.arange(0, indices.size + 1, indices.shape[1])
        return sparse.csr_matrix((distances.ravel(), indices.ravel(), starts), shape=(len(x), len(x)))


def _partition(table: AnnData, *, leiden_resolution: float, min_dist: float, seed: int) -> None:
    import scanpy

    scanpy.tl.leiden(
        table,
        resolution=leiden_resolution,
        flavor="igraph",
        n_iterations=2,
        directed=False,
        random_state=seed,
    )
    table.obs["leiden"] = _by_size(table.obs["leiden"])
    scanpy.tl.umap(table, min_dist=min_dist, random_state=seed)


def _by_size(clusters: pd.Series[Any]) -> pd.Series[Any]:
    """Clusters named '0', '1', ... by falling size; of equal ones that first whose first cell comes first."""
    names, first, sizes = np.unique(clusters.astype(str), return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    renamed = {name: str(rank) for rank, name in enumerate(names[order])}
    ranks = pd.CategoricalDtype(list(renamed.values()))
    return clusters.astype(str).map(renamed).astype(ranks)


def _find_markers(table: AnnData, n_markers: int) -> pd.DataFrame:
    import scanpy

    sizes = table.obs["leiden"].value_counts()
    groups = sorted((str(name) for name in sizes.index[sizes > 1]), key=int)
    if len(sizes) < 2 or not groups:
        return pd.DataFrame({name: [] for name in MARKER_COLUMNS})
    scanpy.tl.rank_genes_groups(table, "leiden", groups=groups, method="wilcoxon", use_raw=False)
    parts = []
    for group in groups:
        found = scanpy.get.rank_genes_groups_df(table, group).head(n_markers)
        found.insert(0, "cluster", group)
        if is_intensities(table):
            # scanpy takes X for logarithms of counts
            found["logfoldchanges"] = fold_changes(table, "leiden", group)[found["names"]].to_numpy()
        parts.append(found)
    del table.uns["rank_genes_groups"]
    renamed = {"names": "gene", "scores": "score", "logfoldchanges": "logfoldchange", "pvals_adj": "pval_adj"}
    tidy: pd.DataFrame = pd.concat(parts, ignore_index=True).rename(columns=renamed)[list(MARKER_COLUMNS)]
    return tidy
