"""Cohorts of very many cells: some are clustered and mapped, and all others follow the nearest of them.

So time and memory of clustering are bounded, as with Seurat's sketches (doi:10.1038/s41587-023-01767-y), here with an
even draw from every sample.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

# Cells that others are compared with, drawn evenly from those that were clustered, and how many of them decide.
LANDMARKS = 30_000
DECIDING = 5
CELLS_AT_ONCE = 20_000


def draw_cells(samples: pd.Series[str], most_cells: int, seed: int) -> Ints:
    """Rows, rising: of each sample its share of `most_cells`, drawn at random, but at least one."""
    rng = np.random.default_rng(seed)
    share = most_cells / len(samples)
    codes = samples.astype("category").cat.codes.to_numpy()
    chosen = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        chosen.append(rng.choice(rows, size=max(1, int(share * len(rows))), replace=False))
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def part_of(table: AnnData, rows: Ints, space: str) -> AnnData:
    """Those cells as a table of their own: X, layers, and obsm `space`."""
    return AnnData(
        X=table.X[rows],
        obs=table.obs.iloc[rows][["sample"]].copy(),
        var=table.var,
        layers={name: table.layers[name][rows] for name in table.layers},
        obsm={space: table.obsm[space][rows]},
    )


def follow_nearest(table: AnnData, part: AnnData, rows: Ints, space: str) -> None:
    """Give all cells the cluster and the place in the map that their nearest clustered cells have, in place.

    A cell that was clustered keeps its own; another gets the commonest cluster of its 5 nearest landmarks in `space`
    (the larger cluster where two are as common), and their mean place, weighted by nearness. Adds obs `leiden` and
    `clustered` (bool: itself), obsm `X_umap`.
    """
    from sklearn.neighbors import NearestNeighbors

    marks = np.linspace(0, len(rows) - 1, min(LANDMARKS, len(rows))).astype(np.int64)
    search = NearestNeighbors(n_neighbors=min(DECIDING, len(marks)), algorithm="brute")
    search.fit(np.ascontiguousarray(part.obsm[space][marks], dtype=np.float32))
    cluster = part.obs["leiden"].cat.codes.to_numpy()
    place = np.asarray(part.obsm["X_umap"], dtype=np.float32)
    n_clusters = len(part.obs["leiden"].cat.categories)
    codes = np.empty(table.n_obs, dtype=np.int64)
    umap = np.empty((table.n_obs, 2), dtype=np.float32)
    for start in range(0, table.n_obs, CELLS_AT_ONCE):
        asked = np.asarray(table.obsm[space][start : start + CELLS_AT_ONCE], dtype=np.float32)
        distance, near = search.kneighbors(asked)
        near = marks[near]
        votes = np.zeros((len(asked), n_clusters), dtype=np.int64)
        np.add.at(votes, (np.arange(len(asked))[:, None], cluster[near]), 1)
        codes[start : start + len(asked)] = votes.argmax(axis=1)
        weight = 1 / np.maximum(distance, 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        umap[start : start + len(asked)] = (place[near] * weight[..., None]).sum(axis=1)
    codes[rows], umap[rows] = cluster, place
    names = part.obs["leiden"].cat.categories
    table.obs["leiden"] = pd.Categorical.from_codes(codes, categories=names)
    itself = np.zeros(table.n_obs, dtype=bool)
    itself[rows] = True
    table.obs["clustered"] = itself
    table.obsm["X_umap"] = umap
