"""Genes whose expression is alike in neighbouring cells: Moran's I.

I and its spread under normality are Cliff and Ord's (Spatial Processes, 1981), as in squidpy
(doi:10.1038/s41592-021-01358-2). A product of a sparse graph with the expression gives them, where
scanpy.metrics.morans_i begins with 10 CPU seconds of compiling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse, stats

from isthmus.analyse.neighbourhood import neighbour_pairs
from isthmus.analyse.threads import single_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMNS = ("gene", "morans_i", "z_score", "p_value", "p_adjusted")
MIN_CELLS = 30
GENES_AT_ONCE = 50


def find_spatial_genes(
    expression: Any,
    genes: list[str],
    spatial_um: Floats,
    groups: Ints,
    *,
    max_distance_um: float = 30.0,
    n_neighbours: int = 6,
) -> pd.DataFrame:
    """Moran's I of each gene on the graph of neighbours, of all groups together.

    Expression is centred within each group, so that differences between samples count as nothing spatial.

    Parameters
    ----------
    expression
        Cells x genes, sparse or dense, log-normalised.
    genes
        Names of the columns.
    spatial_um, groups, max_distance_um, n_neighbours
        As in `neighbourhood.neighbour_pairs`.

    Returns
    -------
    One row a gene, largest z first: `gene`, `morans_i` (1 alike, 0 by chance, below 0 unlike), `z_score`, `p_value`
    (one-sided), `p_adjusted` (Benjamini-Hochberg). Genes that do not vary are left out. Empty where fewer than 30 cells
    have a neighbour.
    """
    pairs = neighbour_pairs(spatial_um, groups, n_neighbours=n_neighbours, max_distance_um=max_distance_um)
    inside = np.unique(pairs)
    if len(inside) < MIN_CELLS:
        return pd.DataFrame({name: [] for name in COLUMNS})
    place = np.full(len(groups), -1, dtype=np.int64)
    place[inside] = np.arange(len(inside))
    graph = _graph(place[pairs], len(inside))
    found = np.full(len(genes), np.nan)
    group = np.unique(groups[inside], return_inverse=True)[1]
    sizes = np.bincount(group)
    columns = sparse.csc_matrix(expression)
    with single_thread():
        for start in range(0, len(genes), GENES_AT_ONCE):
            values = columns[:, start : start + GENES_AT_ONCE].toarray()[inside].astype(np.float64)
            for column in range(values.shape[1]):
                values[:, column] -= (np.bincount(group, values[:, column]) / sizes)[group]
            varying = np.flatnonzero(np.ptp(values, axis=0) > 1e-9)
            found[start + varying] = _morans_i(graph, values[:, varying])
    return _tested(genes, found, graph)


def _morans_i(graph: sparse.csr_matrix, centred: Floats) -> Floats:
    """Of each column, whose mean is 0."""
    alike: Floats = (centred * (graph @ centred)).sum(axis=0) / (centred**2).sum(axis=0)
    scaled: Floats = alike * (graph.shape[0] / float(graph.sum()))
    return scaled


def _graph(pairs: Ints, n_cells: int) -> sparse.csr_matrix:
    """Symmetric, weight 1 for each pair of neighbours."""
    first, second = np.concatenate([pairs, pairs[:, ::-1]]).T
    return sparse.csr_matrix((np.ones(len(first)), (first, second)), shape=(n_cells, n_cells))


def _tested(genes: list[str], found: Floats, graph: sparse.csr_matrix) -> pd.DataFrame:
    n, total = graph.shape[0], graph.sum()
    degree = np.asarray(graph.sum(axis=1)).ravel()
    s1, s2 = 2 * total, 4 * float((degree**2).sum())
    expected = -1 / (n - 1)
    variance = (n**2 * s1 - n * s2 + 3 * total**2) / (total**2 * (n**2 - 1)) - expected**2
    use = np.isfinite(found)
    z_score = (found[use] - expected) / np.sqrt(variance)
    p_value = stats.norm.sf(z_score)
    frame = pd.DataFrame(
        {
            "gene": np.array(genes, dtype=object)[use],
            "morans_i": found[use],
            "z_score": z_score,
            "p_value": p_value,
            "p_adjusted": stats.false_discovery_control(p_value) if use.any() else p_value,
        }
    )
    return frame.sort_values(["z_score", "gene"], ascending=[False, True], ignore_index=True)
