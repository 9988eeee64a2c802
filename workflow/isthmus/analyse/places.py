"""All that is asked of where cells lie beyond which types are neighbours, added to the cohort's table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from isthmus.analyse.co_occurrence import co_occurrence
from isthmus.analyse.niches import distances_to as measure_distances
from isthmus.analyse.niches import find_niches
from isthmus.analyse.spatial_genes import find_spatial_genes
from isthmus.errors import UserError, did_you_mean

MOST_GENES = 2_000


def describe_places(
    table: AnnData,
    by: str,
    groups: NDArray[np.int64],
    *,
    max_distance_um: float,
    n_niches: int = 0,
    niche_neighbours: int = 20,
    co_occurrence_um: Sequence[float] = (),
    spatial_genes: bool = False,
    distances_to: Sequence[str] = (),
    seed: int = 0,
) -> None:
    """Add niches, co-occurrence, spatial genes and distances, in place; nothing of what is not asked for.

    Adds obs `niche`, uns `niches`, `co_occurrence`, `spatial_genes` (data frames, see `niches`, `co_occurrence` and
    `spatial_genes`), and obsm `distance_um` (cells x types, float32).

    Parameters
    ----------
    table
        Cells with obsm `spatial`; X log-normalised.
    by
        Column of obs that holds the types.
    groups
        One number a cell; cells of different groups share no plane.
    """
    types = table.obs[by].astype(str)
    spatial = np.asarray(table.obsm["spatial"], dtype=np.float64)
    unknown = sorted(set(distances_to) - set(types))
    if unknown:
        raise UserError(
            where="analysis.spatial.distances_to",
            found=f"no cell is of type '{unknown[0]}'",
            do=did_you_mean(unknown[0], sorted(set(types))),
        )
    if n_niches:
        found = find_niches(
            types, spatial, groups, n_niches=n_niches, n_neighbours=niche_neighbours, seed=seed
        )
        table.obs["niche"], table.uns["niches"] = found
    if co_occurrence_um:
        table.uns["co_occurrence"] = co_occurrence(
            types, spatial, groups, edges_um=co_occurrence_um, seed=seed
        )
    if distances_to:
        table.obsm["distance_um"] = measure_distances(types, list(distances_to), spatial, groups)
    if spatial_genes and "X_pca" in table.obsm:
        _add_spatial_genes(table, spatial, groups, max_distance_um)


def _add_spatial_genes(
    table: AnnData, spatial: NDArray[np.float64], groups: NDArray[np.int64], max_distance_um: float
) -> None:
    chosen = np.arange(table.n_vars)
    if table.n_vars > MOST_GENES and "highly_variable" in table.var:
        chosen = np.flatnonzero(table.var["highly_variable"].to_numpy(dtype=bool))
    values = table.X if len(chosen) == table.n_vars else table.X[:, chosen]
    names = [str(name) for name in table.var_names[chosen]]
    table.uns["spatial_genes"] = find_spatial_genes(
        values, names, spatial, groups, max_distance_um=max_distance_um
    )
