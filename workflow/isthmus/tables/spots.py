"""The table of a sample's spots: counts, and what the picture shows under each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy.spatial import cKDTree

from isthmus.image.source import SpotTable


def make_spots(
    spots: SpotTable,
    *,
    sample: str,
    diameter_um: float,
    nuclei_um: npt.NDArray[np.float64],
    features: Mapping[str, npt.NDArray[Any]],
    columns: Mapping[str, str],
    record: Mapping[str, Any],
) -> AnnData:
    """Assemble the AnnData of a sample's spots.

    Parameters
    ----------
    spots
        Counts and places.
    diameter_um
        Of a spot.
    nuclei_um
        Centroids x, y of the nuclei found in the picture; a spot's `n_nuclei` are those within its disc.
    features
        What was measured under each spot.
    columns
        Columns of the sample sheet.
    record
        What goes to `uns['isthmus']`.
    """
    numbers = np.arange(1, len(spots.names) + 1)
    names = [f"{sample}-{number}" for number in numbers]
    obs = pd.DataFrame(
        {"instance_id": numbers, "region": "spots", "sample": sample, "barcode": spots.names},
        index=pd.Index(names, name="spot", dtype=object),
    )
    obs["area_um2"] = np.pi / 4 * diameter_um**2
    obs["n_counts"] = np.asarray(spots.counts.sum(axis=1)).reshape(-1).astype(np.int64)
    obs["in_tissue"] = spots.in_tissue
    for name, values in {**spots.columns, **features}.items():
        obs[name] = values
    places = np.column_stack([spots.x_um, spots.y_um])
    obs["n_nuclei"] = count_inside(places, nuclei_um, diameter_um / 2)
    for name, text in columns.items():
        obs[name] = text
    for name in ("region", "sample", *columns):
        obs[name] = obs[name].astype("category")
    table = AnnData(X=spots.counts.copy(), obs=obs, var=describe_genes(spots))
    table.layers["counts"] = spots.counts.copy()
    table.obsm["spatial"] = places
    table.uns["isthmus"] = dict(record)
    return table


def describe_genes(spots: SpotTable) -> pd.DataFrame:
    """The genes by their names, or by their ids where a name occurs twice; column `gene_id`."""
    names = pd.Series(spots.genes.astype(str))
    unique = np.where(names.duplicated(keep=False), spots.gene_ids.astype(str), names)
    return pd.DataFrame({"gene_id": spots.gene_ids.astype(str)}, index=pd.Index(unique, dtype=object))


def count_inside(
    places_um: npt.NDArray[np.float64], points_um: npt.NDArray[np.float64], radius_um: float
) -> npt.NDArray[np.int64]:
    """How many points lie within the radius of each place."""
    if not len(points_um) or not len(places_um):
        return np.zeros(len(places_um), dtype=np.int64)
    found = cKDTree(points_um).query_ball_point(places_um, radius_um, return_length=True)
    return np.asarray(found, dtype=np.int64)
