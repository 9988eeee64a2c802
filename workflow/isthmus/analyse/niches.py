"""Niches: cells grouped by which types lie around them.

Method: cellular neighbourhoods (doi:10.1016/j.cell.2020.07.005): the shares of the types among a cell's nearest cells,
clustered by k-means (scikit-learn).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from isthmus.analyse.threads import single_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Centres are learned from at most so many cells, drawn with the seed; all cells are given the nearest.
LEARNED_FROM = 100_000
CELLS_AT_ONCE = 100_000
STARTS = 5


def surroundings(
    codes: Ints, n_types: int, spatial_um: Floats, groups: Ints, *, n_neighbours: int = 20
) -> NDArray[np.float32]:
    """Shares of the types among each cell and its nearest cells of the same group.

    Parameters
    ----------
    codes
        Type of each cell, from 0.
    spatial_um
        Cells x (x, y[, z]), micrometres.
    groups
        One number a cell; cells of different groups are never near.

    Returns
    -------
    Cells x types, float32; rows sum to 1.
    """
    shares = np.zeros((len(codes), n_types), dtype=np.float32)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        tree = cKDTree(spatial_um[rows])
        k = min(n_neighbours + 1, len(rows))
        for start in range(0, len(rows), CELLS_AT_ONCE):
            part = rows[start : start + CELLS_AT_ONCE]
            _, near = tree.query(spatial_um[part], k=[*range(1, k + 1)])
            kinds = codes[rows[near]] + n_types * np.arange(len(part))[:, None]
            counts = np.bincount(kinds.ravel(), minlength=n_types * len(part))
            shares[part] = counts.reshape(len(part), n_types) / k
    return shares


def find_niches(
    types: pd.Series[str],
    spatial_um: Floats,
    groups: Ints,
    *,
    n_niches: int = 8,
    n_neighbours: int = 20,
    seed: int = 0,
) -> tuple[pd.Categorical, pd.DataFrame]:
    """Group cells by their surroundings.

    Returns
    -------
    The niche of each cell, '0', '1', ... by falling size, and what each is made of: one row a niche with `niche`,
    `n_cells`, and a column for each type, its mean share of the surroundings.
    """
    from sklearn.cluster import KMeans

    category = types.astype("category").cat.remove_unused_categories()
    names = [str(name) for name in category.cat.categories]
    codes: Ints = np.asarray(category.cat.codes, dtype=np.int64)
    shares = surroundings(codes, len(names), spatial_um, groups, n_neighbours=n_neighbours)
    drawn = np.random.default_rng(seed).permutation(len(shares))[:LEARNED_FROM]
    wanted = min(n_niches, len(np.unique(shares[np.sort(drawn)], axis=0)))
    with single_thread():
        model = KMeans(wanted, n_init=STARTS, random_state=seed).fit(shares[np.sort(drawn)])
        found = np.concatenate(
            [model.predict(shares[at : at + CELLS_AT_ONCE]) for at in range(0, len(shares), CELLS_AT_ONCE)]
        )
    sizes = np.bincount(found, minlength=wanted)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(wanted, dtype=np.int64)
    rank[order] = np.arange(wanted)
    niche = rank[found]
    present = int(niche.max()) + 1
    made = np.stack([shares[niche == number].mean(axis=0) for number in range(present)])
    frame = pd.DataFrame(made.astype(np.float64), columns=names)
    frame.insert(0, "n_cells", np.bincount(niche, minlength=present).astype(np.int64))
    frame.insert(0, "niche", [str(number) for number in range(present)])
    levels = [str(number) for number in range(present)]
    return pd.Categorical(np.array(levels, dtype=object)[niche], categories=levels), frame


def distances_to(types: pd.Series[str], wanted: list[str], spatial_um: Floats, groups: Ints) -> pd.DataFrame:
    """Distance of each cell to the nearest other cell of each wanted type in its group.

    Returns
    -------
    Cells x types, float32, micrometres; NaN where the group has no (other) cell of that type.
    """
    kinds = types.astype(str).to_numpy()
    found = pd.DataFrame(np.nan, index=types.index, columns=wanted, dtype=np.float32)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        for name in wanted:
            there = rows[kinds[rows] == name]
            if len(there) == 0:
                continue
            distance, near = cKDTree(spatial_um[there]).query(spatial_um[rows], k=[1, 2])
            # A cell of the type is not its own nearest; a second answer that is missing is infinite.
            own = np.where(
                near[:, 0] < len(there), there[np.minimum(near[:, 0], len(there) - 1)] == rows, False
            )
            nearest = np.where(own, distance[:, 1], distance[:, 0])
            nearest[~np.isfinite(nearest)] = np.nan
            found.iloc[rows, wanted.index(name)] = nearest.astype(np.float32)
    return found
