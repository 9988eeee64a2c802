"""How far the counts of cells can be trusted: what lies outside cells, what should not be there, and where.

Negative probes bind nothing: what they count is noise. Two markers of which a cell has one or the other are seen
together where molecules of neighbours were counted in: leakage. Fields of view that differ from the others in the
counts of their cells point to a fault of focus, reagents or stitching, or to another tissue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

MAD_TO_SD = 1.4826
"""Of normal numbers, a standard deviation is so many times the median absolute deviation."""
LEAST_CELLS = 10
"""Cells that a field must have to be compared."""
LEAST_FIELDS = 5
"""Fields that must be comparable; among fewer, none can stand out."""
CONSPICUOUS = 3.5
"""Robust z from which a field is told of: Iglewicz and Hoaglin 1993, How to detect and handle outliers."""


def measure_counts(
    table: AnnData,
    *,
    transcripts: Mapping[str, Any] | None,
    exclusive_markers: Sequence[str],
    field_um: float,
) -> dict[str, Any]:
    """Measure the quality of a sample's counts; adds obs['field_z'], the robust z of each cell's field (NaN for none).

    Parameters
    ----------
    table
        Cells x genes, counts in layers['counts'], obsm['controls'] where there are any; obs['fov'] where the vendor's
        fields are known.
    transcripts
        Numbers of transcripts by kind and compartment (`by_kind` of the step build_table).
    exclusive_markers
        Pairs `A:B` of genes that no cell should have both of.
    field_um
        Edge of the squares that stand in for fields where those are not known.

    Returns
    -------
    A record that JSON can hold: `outside_cells`, `negative_rate`, `pairs`, `double_positive`, `fields`.
    """
    return {
        "outside_cells": _outside(transcripts),
        "negative_rate": _negative_rate(table),
        **_leakage(table, exclusive_markers),
        **_fields(table, field_um),
    }


def _outside(transcripts: Mapping[str, Any] | None) -> float | None:
    """Share of the transcripts of genes, of sufficient quality and in the image, that lie in no cell."""
    genes = (transcripts or {}).get("by_kind", {}).get("gene")
    total = sum(genes.values()) if genes else 0
    return genes["none"] / total if genes and total else None


def _negative_rate(table: AnnData) -> float | None:
    """Mean counts in cells of a control, as a share of those of a gene; None without controls or counts."""
    counts = table.layers["counts"].sum(dtype=np.int64)
    if "controls" not in table.obsm or not table.obsm["controls"].shape[1] or not counts:
        return None
    controls = table.obsm["controls"].to_numpy(dtype=np.int64)
    return float((controls.sum() / controls.shape[1]) / (counts / table.n_vars))


def _leakage(table: AnnData, pairs: Sequence[str]) -> dict[str, Any]:
    """For each pair of markers the share of cells with both among the cells with either."""
    counts = sparse.csc_matrix(table.layers["counts"])
    found: list[dict[str, Any]] = []
    for pair in pairs:
        names = pair.split(":")
        missing = [name for name in names if name not in table.var_names]
        if missing:
            found.append({"pair": pair, "missing": missing, "either": 0, "both": 0, "share": None})
            continue
        a, b = (counts[:, table.var_names.get_loc(name)].toarray().ravel() > 0 for name in names)
        either, both = int((a | b).sum()), int((a & b).sum())
        found.append(
            {"pair": pair, "either": either, "both": both, "share": both / either if either else None}
        )
    either, both = (sum(row[key] for row in found) for key in ("either", "both"))
    return {"pairs": found, "double_positive": both / either if either else None}


def _fields(table: AnnData, field_um: float) -> dict[str, Any]:
    """Median counts of the cells of each field, and how far they stand out."""
    known = "fov" in table.obs
    names = table.obs["fov"].astype(str) if known else _squares(table, field_um)
    grouped = table.obs.groupby(names.to_numpy(), sort=True)["n_counts"].agg(["size", "median"])
    z = robust_z(grouped["median"].to_numpy(np.float64), grouped["size"].to_numpy() >= LEAST_CELLS)
    table.obs["field_z"] = pd.Series(z, index=grouped.index).reindex(names.to_numpy()).to_numpy()
    rows = [
        {"field": str(name), "n_cells": int(size), "median_counts": float(median), "z": _or_none(at)}
        for name, size, median, at in zip(
            grouped.index, grouped["size"], grouped["median"], z.tolist(), strict=True
        )
    ]
    return {
        "fields_are": "fields of view" if known else f"squares of {field_um:g} um",
        "fields": rows,
        "conspicuous": [str(name) for name in grouped.index[np.abs(z) > CONSPICUOUS]],
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _squares(table: AnnData, field_um: float) -> pd.Series[str]:
    x, y = (np.asarray(table.obsm["spatial"])[:, :2] // field_um).astype(np.int64).T
    return pd.Series([f"x {a * field_um:g} y {b * field_um:g} um" for a, b in zip(x, y, strict=True)])


def robust_z(values: NDArray[np.float64], comparable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance from the median in standard deviations as the median absolute deviation estimates them.

    NaN for what is not comparable, and for all where fewer than LEAST_FIELDS are or none deviates.
    """
    made = np.full(values.shape, np.nan)
    if comparable.sum() < LEAST_FIELDS:
        return made
    middle = np.median(values[comparable])
    spread = MAD_TO_SD * np.median(np.abs(values[comparable] - middle))
    if spread > 0:
        made[comparable] = (values[comparable] - middle) / spread
    return made
