"""Intensities of proteins made comparable: a transform, then a normalisation of each sample by itself.

arcsinh with a cofactor is linear near 0 and logarithmic above (Bendall et al. 2011, doi:10.1126/science.1198704);
z-scores of transformed intensities take most differences between slides out (Hickey et al. 2021,
doi:10.3389/fimmu.2021.727626), at the price of what differs because the slides hold other cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

Floats = npt.NDArray[np.float64]
TransformName = Literal["arcsinh", "log1p", "none"]
Normalisation = Literal["z", "robust", "percentile", "none"]

RAW = "intensities"
"""Layer of the intensities as measured."""

_MAD = 1.4826  # median absolute deviation of a normal distribution of standard deviation 1, inverted


def is_intensities(table: AnnData) -> bool:
    """Whether a table holds intensities of markers, and no counts."""
    return "counts" not in table.layers


def raw_intensities(table: AnnData) -> Floats:
    """Intensities as measured (cells x markers)."""
    values = table.layers.get(RAW, table.X)
    dense = values if isinstance(values, np.ndarray) else values.toarray()
    return np.asarray(dense, dtype=np.float64)


def cofactors_of(raw: Floats, cofactor: float | None) -> Floats:
    """A cofactor for each marker: the one given, or the marker's median over all cells above 0 (1 if there is none)."""
    if cofactor is not None:
        return np.full(raw.shape[1], cofactor)
    found = np.ones(raw.shape[1])
    for column in range(raw.shape[1]):
        positive = raw[raw[:, column] > 0, column]
        if positive.size:
            found[column] = np.median(positive)
    return found


def transformed(raw: Floats, transform: TransformName, cofactors: Floats) -> Floats:
    """Transformed intensities (cells x markers); negative ones count as 0 under log1p."""
    if transform == "arcsinh":
        return np.asarray(np.arcsinh(raw / cofactors))
    if transform == "log1p":
        return np.asarray(np.log1p(np.maximum(raw, 0)))
    return raw


def inverse(values: Floats, transform: TransformName, cofactor: float) -> Floats:
    """Intensities of transformed values of one marker."""
    if transform == "arcsinh":
        return np.asarray(np.sinh(values) * cofactor)
    return np.asarray(np.expm1(values)) if transform == "log1p" else values


def normalised(values: Floats, samples: Sequence[str] | pd.Series[str], how: Normalisation) -> Floats:
    """Values (cells x markers) of each sample brought to one scale; a marker without spread becomes 0."""
    made = np.array(values, dtype=np.float64)
    if how == "none":
        return made
    names = np.asarray(samples, dtype=object).astype(str)
    for name in np.unique(names):
        mine = names == name
        part = made[mine]
        middle, spread = _scale(part, how)
        made[mine] = np.divide(part - middle, spread, out=np.zeros_like(part), where=spread > 0)
    return made


def _scale(part: Floats, how: Normalisation) -> tuple[Floats, Floats]:
    if how == "z":
        return part.mean(axis=0), part.std(axis=0)
    if how == "robust":
        middle = np.median(part, axis=0)
        return middle, _MAD * np.median(np.abs(part - middle), axis=0)
    low, high = np.percentile(part, (1, 99), axis=0)
    return low, high - low


def transform_intensities(
    table: AnnData,
    *,
    transform: TransformName = "arcsinh",
    cofactor: float | None = None,
    normalise: Normalisation = "z",
) -> int:
    """Fill X with comparable intensities, in place, and return how many markers vary.

    layers['intensities'] keeps the intensities as measured; var `cofactor` those of arcsinh.
    """
    raw = raw_intensities(table)
    cofactors = cofactors_of(raw, cofactor)
    table.layers[RAW] = raw.astype(np.float32)
    if transform == "arcsinh":
        table.var["cofactor"] = cofactors
    values = normalised(transformed(raw, transform, cofactors), table.obs["sample"], normalise)
    table.X = values.astype(np.float32)
    return int((np.ptp(values, axis=0) > 0).sum()) if table.n_obs else 0


def choose_markers(table: AnnData) -> None:
    """Mark in var `highly_variable` the markers that tell types apart: role lineage, or all where no role is known."""
    roles = table.var["role"].astype(str) if "role" in table.var else None
    lineage = roles == "lineage" if roles is not None else np.ones(table.n_vars, bool)
    table.var["highly_variable"] = np.asarray(
        lineage if np.sum(lineage) >= 3 else np.ones(table.n_vars, bool)
    )


def fold_changes(table: AnnData, column: str, group: str) -> pd.Series[float]:
    """log2 of the ratio of mean raw intensities, a group's cells to all others, by marker."""
    raw = raw_intensities(table)
    mine = (table.obs[column].astype(str) == group).to_numpy()
    tiny = np.maximum(raw.mean(axis=0), 1e-12) * 1e-3
    ratio = (raw[mine].mean(axis=0) + tiny) / (raw[~mine].mean(axis=0) + tiny)
    return pd.Series(np.log2(np.maximum(ratio, 1e-12)), index=table.var_names)
