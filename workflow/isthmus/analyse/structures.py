"""Distances of cells to structures that the user has drawn: how far from its border, and on which side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import shapely
from anndata import AnnData
from numpy.typing import NDArray

from isthmus.errors import UserError

Floats = NDArray[np.float64]

COLUMNS = (
    "structure",
    "type",
    "n_cells",
    "n_inside",
    "share_inside",
    "lower_quartile_um",
    "median_um",
    "upper_quartile_um",
)
ALL_CELLS = "all cells"
NOTE = "structures"
"""Entry of a table's uns['isthmus'] that tells which column is about which class."""
CELLS_AT_ONCE = 100_000


def add_distances(table: AnnData, structures: Mapping[str, shapely.Geometry], *, where: str) -> None:
    """Add the distance to the structures of each class, in place: obs `distance_to_<class>_um`, float32.

    Parameters
    ----------
    table
        Cells with obsm `spatial`; of volumes x and y count, as if structures went through all planes.
    structures
        Polygons and lines by class, in the sample's micrometres.
    where
        The sample's row, for errors.
    """
    spatial = np.asarray(table.obsm["spatial"], dtype=np.float64)[:, :2]
    columns: dict[str, str] = {}
    for name, geometry in structures.items():
        column = column_of(name)
        if column in columns or column in table.obs:
            raise UserError(
                where=where,
                found=f"class '{name}' would be column '{column}', which is there already",
                do="give it another name",
            )
        columns[column] = name
        table.obs[column] = signed_distance(geometry, spatial).astype(np.float32)
    table.uns.setdefault("isthmus", {})[NOTE] = columns


def column_of(name: str) -> str:
    """The column of a class: its name in small letters, digits and `_`."""
    word = re.sub(r"\W+", "_", name.lower()).strip("_")
    return f"distance_to_{word or 'structure'}_um"


def signed_distance(geometry: shapely.Geometry, places_um: Floats) -> Floats:
    """Distance of places to the nearest border of areas or line; negative inside areas.

    Areas of one class that overlap are one. A line inside an area counts for places outside of areas only.

    Parameters
    ----------
    geometry
        Polygons and lines, together or in a collection.
    places_um
        Places x (x, y).
    """
    parts = shapely.get_parts(np.atleast_1d(np.asarray(geometry, dtype=object)))
    flat = shapely.get_dimensions(parts) == 2
    area, lines = shapely.union_all(parts[flat]), parts[~flat]
    shapely.prepare(area)
    inside = np.asarray(shapely.contains_xy(area, places_um[:, 0], places_um[:, 1]), dtype=bool)
    to_border = _to_nearest(_edges(shapely.get_parts(shapely.boundary(area))), places_um)
    to_line = _to_nearest(_edges(lines), places_um)
    return np.where(inside, -to_border, np.minimum(to_border, to_line))


def _edges(lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Lines as their straight pieces, which a tree of boxes holds tightly."""
    xy, line = shapely.get_coordinates(lines, return_index=True)
    if not len(xy):
        return np.empty(0, dtype=object)
    follows = line[1:] == line[:-1]
    pieces: NDArray[np.object_] = shapely.linestrings(np.stack([xy[:-1][follows], xy[1:][follows]], axis=1))
    return pieces


def _to_nearest(pieces: NDArray[np.object_], places_um: Floats) -> Floats:
    """Distance of each place to the nearest piece; infinite where there is none."""
    found = np.full(len(places_um), np.inf)
    if not len(pieces):
        return found
    tree = shapely.STRtree(pieces)
    for start in range(0, len(places_um), CELLS_AT_ONCE):
        points = shapely.points(places_um[start : start + CELLS_AT_ONCE])
        (row, _), distance = tree.query_nearest(points, return_distance=True, all_matches=False)
        found[start + row] = distance
    return found


def structures_of(table: AnnData) -> dict[str, str]:
    """Column and name of each class that any of the cohort's samples has, in the order of the samples."""
    samples = table.uns.get("isthmus", {}).get("samples", {})
    return {column: str(name) for record in samples.values() for column, name in record.get(NOTE, {}).items()}


def summarise_structures(obs: pd.DataFrame, by: str, structures: Mapping[str, str]) -> pd.DataFrame:
    """How far the cells of each type lie from the structures of each class.

    Parameters
    ----------
    obs
        Cells with the columns of `structures` and `by`, their type.
    structures
        Column and name of each class.

    Returns
    -------
    One row for each class and type, beginning with all cells: `structure`, `type`, `n_cells` (of samples that
    have such a structure), `n_inside`, `share_inside`, and the quartiles of the distance in micrometres, negative
    inside.
    """
    rows = []
    types = obs[by].astype(str)
    for column, name in structures.items():
        known = obs[column].notna()
        rows.append(_row(name, ALL_CELLS, obs.loc[known, column]))
        rows += [_row(name, of, obs.loc[known & (types == of), column]) for of in _in_order(obs[by])]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame[frame["n_cells"] > 0].reset_index(drop=True)


def _in_order(types: pd.Series[str]) -> Sequence[str]:
    return [str(name) for name in types.astype("category").cat.categories]


def _row(structure: str, of: str, distance: pd.Series[float]) -> tuple[object, ...]:
    if not len(distance):
        return (structure, of, 0, 0, *[np.nan] * 4)
    values = distance.to_numpy(dtype=np.float64)
    n_inside = int((values < 0).sum())
    quartiles = np.quantile(values, [0.25, 0.5, 0.75])
    return (structure, of, len(values), n_inside, n_inside / len(values), *quartiles.tolist())
