"""Columns of the table of cells that say what the vendor calls things: names of cells, fields of view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from anndata import AnnData

from isthmus.image.source import Field

NO_FIELD = "none"


def add_names(table: AnnData, names: Mapping[int, str]) -> None:
    """Add obs['vendor_cell_id']: the vendor's name of each imported cell, empty where it has none."""
    ids = table.obs["instance_id"].tolist()
    table.obs["vendor_cell_id"] = np.array([names.get(number, "") for number in ids], dtype=object)


def add_fields(table: AnnData, fields: Sequence[Field]) -> None:
    """Add obs['fov']: the first field of view, in the order given, that holds the centroid of each cell."""
    x, y = np.asarray(table.obsm["spatial"])[:, :2].T
    found = np.full(table.n_obs, NO_FIELD, dtype=object)
    for field in reversed(fields):
        found[(x >= field.x0_um) & (x < field.x1_um) & (y >= field.y0_um) & (y < field.y1_um)] = field.name
    table.obs["fov"] = found
    table.obs["fov"] = table.obs["fov"].astype("category")
