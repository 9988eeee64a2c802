"""Which types of cells lie side by side more often than by chance.

Method: neighbourhood enrichment by permutation, as in squidpy (doi:10.1038/s41592-021-01358-2).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from isthmus.errors import UserError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COLUMNS = ("type_a", "type_b", "observed", "expected", "z_score", "n_pairs")


def neighbour_pairs(
    spatial_um: Floats, groups: Ints, *, n_neighbours: int = 6, max_distance_um: float = 30.0
) -> Ints:
    """Pairs of neighbouring cells: one is among the nearest of the other, near enough, and of the same group.

    Parameters
    ----------
    spatial_um
        Cells x (x, y[, z]), micrometres.
    groups
        One number a cell; cells of different groups (samples, images) are never neighbours.
    n_neighbours
        Nearest cells looked at for each cell.
    max_distance_um
        Largest distance of neighbours, inclusive.

    Returns
    -------
    Pairs x 2, int64: rows of the cells, first < second, each pair once, sorted.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        if len(rows) < 2:
            continue
        k = min(n_neighbours, len(rows) - 1) + 1
        distance, near = cKDTree(spatial_um[rows]).query(spatial_um[rows], k=k)
        own = np.repeat(np.arange(len(rows)), k)
        # A cell may not be its own first answer where two lie at one place, so it is dropped by number.
        use = (distance.ravel() <= max_distance_um) & (near.ravel() != own)
        pairs = np.sort(np.column_stack((own[use], near.ravel()[use])), axis=1)
        found.append(rows[pairs])
    return np.unique(np.concatenate(found), axis=0)


def enrich_neighbourhoods(
    types: pd.Series[str],
    spatial_um: Floats,
    groups: Ints,
    *,
    n_neighbours: int = 6,
    max_distance_um: float = 30.0,
    n_permutations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Count neighbours of each pair of types and compare with types shuffled within each group.

    Parameters
    ----------
    types
        A type for each cell, as a category; 'unassigned' counts as one.
    spatial_um, groups, n_neighbours, max_distance_um
        See `neighbour_pairs`.
    n_permutations
        Shufflings that give the expected number and its spread.
    seed
        Of the shufflings.

    Returns
    -------
    One row for each ordered pair of types that occur: `type_a`, `type_b`, `observed` (neighbouring pairs of
    cells that join the two types; the same in both orders), `expected` (their mean under shuffling),
    `z_score` (difference in standard deviations; 0 where shuffling changes nothing), `n_pairs` (neighbouring
    pairs with a cell of `type_a`, so that observed / n_pairs is a share).
    """
    if n_permutations < 2:
        raise UserError(
            where="analysis.neighbourhood.n_permutations",
            found=f"{n_permutations} shufflings have no spread",
            do="take 100 or more",
        )
    category = types.astype("category").cat.remove_unused_categories()
    codes: Ints = np.asarray(category.cat.codes, dtype=np.int64)
    names = [str(name) for name in category.cat.categories]
    if (codes < 0).any():
        raise ValueError("cells without a type")
    pairs = neighbour_pairs(spatial_um, groups, n_neighbours=n_neighbours, max_distance_um=max_distance_um)
    observed = _count(codes, pairs, len(names))
    expected, spread = _shuffle(codes, groups, pairs, len(names), n_permutations=n_permutations, seed=seed)
    z_score = np.divide(observed - expected, spread, out=np.zeros_like(expected), where=spread > 0)
    return _tidy(names, observed, expected, z_score)


def _count(codes: Ints, pairs: Ints, n_types: int) -> Ints:
    """Types x types, symmetric: pairs of cells that join them; on the diagonal each pair once."""
    joined = np.bincount(
        codes[pairs[:, 0]] * n_types + codes[pairs[:, 1]], minlength=n_types * n_types
    ).reshape(n_types, n_types)
    both: Ints = joined + joined.T
    both[np.diag_indices(n_types)] //= 2
    return both


def _shuffle(
    codes: Ints, groups: Ints, pairs: Ints, n_types: int, *, n_permutations: int, seed: int
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the counts when types are shuffled within groups."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    total = np.zeros((n_types, n_types))
    squares = np.zeros((n_types, n_types))
    shuffled = codes.copy()
    for _ in range(n_permutations):
        for rows in members:
            shuffled[rows] = rng.permutation(codes[rows])
        count = _count(shuffled, pairs, n_types)
        total += count
        squares += count.astype(np.float64) ** 2
    # The sums are of whole numbers and exact, so a constant count has a spread of exactly 0.
    variance = (squares * n_permutations - total**2) / n_permutations**2
    return total / n_permutations, np.sqrt(variance)


def _tidy(names: list[str], observed: Ints, expected: Floats, z_score: Floats) -> pd.DataFrame:
    n_pairs = observed.sum(axis=1)
    index = [(a, b) for a in range(len(names)) for b in range(len(names))]
    rows = [(names[a], names[b], observed[a, b], expected[a, b], z_score[a, b], n_pairs[a]) for a, b in index]
    return pd.DataFrame(rows, columns=list(COLUMNS))
