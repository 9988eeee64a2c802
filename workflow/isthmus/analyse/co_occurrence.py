"""How much oftener than among all cells a type is met at a distance from another.

Method: co-occurrence ratio as in squidpy (doi:10.1038/s41592-021-01358-2), in rings, from a bounded number of cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMNS = ("type_a", "type_b", "from_um", "to_um", "n_pairs", "ratio")
# Cells that are looked around from in each group, drawn with the seed; all cells of the group are seen.
MOST_CELLS = 20_000
CELLS_AT_ONCE = 500


def co_occurrence(
    types: pd.Series[str], spatial_um: Floats, groups: Ints, *, edges_um: Sequence[float], seed: int = 0
) -> pd.DataFrame:
    """Ratio of the share of type b around cells of type a to its share around all cells, ring by ring.

    Parameters
    ----------
    types
        A type for each cell.
    spatial_um, groups
        As in `neighbourhood.neighbour_pairs`.
    edges_um
        Rising outer radii of the rings; the first begins at 0.

    Returns
    -------
    One row for each ordered pair and ring: `type_a`, `type_b`, `from_um`, `to_um`, `n_pairs` (cells of b seen around
    the cells of a that were drawn), `ratio` (NaN where nothing of a or b was seen in the ring).
    """
    category = types.astype("category").cat.remove_unused_categories()
    names = [str(name) for name in category.cat.categories]
    codes: Ints = np.asarray(category.cat.codes, dtype=np.int64)
    counts = np.zeros((len(edges_um), len(names), len(names)), dtype=np.int64)
    rng = np.random.default_rng(seed)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        drawn = np.sort(rng.permutation(len(rows))[:MOST_CELLS])
        counts += _count_rings(codes[rows], spatial_um[rows], drawn, edges_um, len(names))
    return _tidy(names, counts, edges_um)


def _count_rings(
    codes: Ints, spatial_um: Floats, drawn: Ints, edges_um: Sequence[float], n_types: int
) -> Ints:
    """Rings x types x types: cells of b in the ring around the drawn cells of a, themselves left out."""
    tree, edges = cKDTree(spatial_um), np.asarray(edges_um, dtype=np.float64)
    counts = np.zeros(len(edges) * n_types * n_types, dtype=np.int64)
    for start in range(0, len(drawn), CELLS_AT_ONCE):
        part = drawn[start : start + CELLS_AT_ONCE]
        near = cKDTree(spatial_um[part]).sparse_distance_matrix(tree, edges[-1], output_type="ndarray")
        first, second, distance = part[near["i"]], near["j"], near["v"]
        other = first != second
        ring = np.searchsorted(edges, distance[other], side="left")
        pair = codes[first[other]] * n_types + codes[second[other]]
        counts += np.bincount(ring * n_types * n_types + pair, minlength=counts.size)
    return counts.reshape(len(edges), n_types, n_types)


def _tidy(names: list[str], counts: Ints, edges_um: Sequence[float]) -> pd.DataFrame:
    rows = []
    inner = [0.0, *edges_um[:-1]]
    for ring, (low, high) in enumerate(zip(inner, edges_um, strict=True)):
        seen = counts[ring].astype(np.float64)
        around = seen.sum(axis=1, keepdims=True)
        overall = seen.sum(axis=0) / max(seen.sum(), 1.0)
        share = np.divide(seen, around, out=np.full_like(seen, np.nan), where=around > 0)
        ratio = np.divide(share, overall, out=np.full_like(seen, np.nan), where=overall > 0)
        rows += [
            (a, b, float(low), float(high), int(counts[ring, i, j]), float(ratio[i, j]))
            for i, a in enumerate(names)
            for j, b in enumerate(names)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
