"""The matrix of a protein assay: one intensity for each cell and marker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

Compartment = Literal["cell", "nucleus", "cytoplasm"]


def marker_matrix(
    intensity: pd.DataFrame, markers: Sequence[str], compartment: Compartment
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Mean intensity (cells x markers, float32) in a compartment.

    A cell without a pixel in the compartment has its mean over all its pixels, so that nothing is missing.

    Parameters
    ----------
    intensity
        Columns `<channel>_mean_<compartment>`, see `intensity_columns`.
    markers
        Channels, in the order of the columns of the matrix.
    compartment
        Where to look.
    """
    whole = intensity[[f"{marker}_mean_cell" for marker in markers]].to_numpy(np.float64)
    if compartment == "cell":
        return whole.astype(np.float32)
    part = intensity[[f"{marker}_mean_{compartment}" for marker in markers]].to_numpy(np.float64)
    return np.where(np.isnan(part), whole, part).astype(np.float32)


def describe_markers(markers: Sequence[str], roles: Mapping[str, str]) -> pd.DataFrame:
    """The var of a protein assay: index markers, column `role` where there is a panel."""
    var = pd.DataFrame(index=pd.Index(list(markers), dtype=object))
    if roles:
        var["role"] = pd.Categorical([roles.get(marker, "lineage") for marker in markers])
    return var
