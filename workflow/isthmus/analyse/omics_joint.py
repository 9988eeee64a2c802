"""What is known of samples (or wells) from images, counts and other omics, together: one MuData, then its analysis."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mudata
import numpy as np
import pandas as pd
from anndata import AnnData

from isthmus.analyse.factors import Factors, find_factors
from isthmus.analyse.omics import passing
from isthmus.analyse.omics_correlations import correlate
from isthmus.errors import UserError

FEATURES = ("image", "composition")
"""Modalities that images give, which are held against molecules."""
MOST_ROWS = 200_000
"""Correlations that are written: those of the smallest p values."""
_SMALL_COUNT = 0.5
_MILLION = 1e6


def join_modalities(
    units: pd.DataFrame,
    *,
    image: pd.DataFrame,
    composition: pd.DataFrame,
    counts: pd.DataFrame,
    tables: Mapping[str, AnnData],
) -> mudata.MuData:
    """One MuData of what is known of each unit.

    Parameters
    ----------
    units
        A row a unit; its columns become obs.
    image
        Units x image features; may be empty, as may the next two.
    composition
        Units x types, numbers of cells: X is the share, layers['clr'] its centred log-ratio with half a cell added.
    counts
        Units x genes, sums of counts: X is log2(1 + counts per million), layers['counts'] the sums.
    tables
        Other omics, see `omics.assess_table`.

    Returns
    -------
    Modalities `image`, `composition`, `pseudobulk` as far as there are any, and the tables by name. A unit without a
    row in a modality is missing there.
    """
    made: dict[str, AnnData] = {}
    if image.size:
        made["image"] = _table(image.to_numpy(np.float64), image, units)
    if composition.size:
        cells = composition.to_numpy(np.float64)
        logs = np.log(cells + _SMALL_COUNT)
        made["composition"] = _table(
            cells / np.maximum(cells.sum(axis=1, keepdims=True), 1), composition, units
        )
        made["composition"].layers["clr"] = logs - logs.mean(axis=1, keepdims=True)
        made["composition"].layers["cells"] = cells
    if counts.size:
        sums = counts.to_numpy(np.float64)
        million = sums / np.maximum(sums.sum(axis=1, keepdims=True), 1) * _MILLION
        made["pseudobulk"] = _table(np.log2(1 + million), counts, units)
        made["pseudobulk"].layers["counts"] = counts.to_numpy(np.int64)
    made |= {name: _unique(table, name, made) for name, table in tables.items()}
    with mudata.set_options(pull_on_update=False):
        whole = mudata.MuData(made)
        whole.obs = units.loc[whole.obs_names]
    return whole


def _table(values: np.ndarray[Any, Any], frame: pd.DataFrame, units: pd.DataFrame) -> AnnData:
    names = pd.Index([str(name) for name in frame.index], dtype=object)
    var = pd.DataFrame(index=pd.Index([str(name) for name in frame.columns], dtype=object))
    return AnnData(values, units.loc[names, ["sample"]].copy(), var)


def _unique(table: AnnData, name: str, others: Mapping[str, AnnData]) -> AnnData:
    """Features of a MuData have one name each: a molecule called as a gene of the images gets its table's name."""
    taken = {feature for other in others.values() for feature in other.var_names}
    made = table.copy()
    made.var_names = pd.Index(
        [f"{name}:{feature}" if feature in taken else feature for feature in table.var_names], dtype=object
    )
    return made


def features_of(whole: mudata.MuData) -> dict[str, pd.DataFrame]:
    """Image features and composition (shares), units x features."""
    return {name: whole.mod[name].to_df() for name in FEATURES if name in whole.mod}


def molecules_of(whole: mudata.MuData) -> dict[str, pd.DataFrame]:
    """Molecules of the tables of other omics that passed quality control, units x molecules."""
    return {name: passing(of) for name, of in whole.mod.items() if name not in (*FEATURES, "pseudobulk")}


def modelled(whole: mudata.MuData) -> dict[str, pd.DataFrame]:
    """What a factor model takes of each modality: shares as log-ratios, all else as it is."""
    views = {name: passing(of) for name, of in whole.mod.items()}
    if "composition" in views:
        views["composition"] = whole.mod["composition"].to_df(layer="clr")
    return views


def analyse_jointly(
    whole: mudata.MuData,
    *,
    unit: str,
    min_correlated: int,
    alpha: float,
    min_factored: int,
    n_factors: int,
    n_permutations: int,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Correlate and find factors; factors go into the MuData.

    `obsm['X_mofa']` are the scores (NaN for units that the model does not have), `varm['LFs']` of each modality the
    loadings (NaN for features that it does not use), `uns['mofa']` the shares of variance.

    Returns
    -------
    The correlations, and a summary that JSON can hold.
    """
    found = correlate(features_of(whole), molecules_of(whole), unit=unit, min_samples=min_correlated)
    summary: dict[str, Any] = {
        "units": int(whole.n_obs),
        "modalities": {name: [int(of.n_obs), int(of.n_vars)] for name, of in whole.mod.items()},
        "tested": len(found),
        "found": int((found["p_adjusted"] <= alpha).sum()),
        "min_correlated": min_correlated,
        "alpha": alpha,
        "factors": None,
        "no_factors": "",
    }
    n_shared = sum(sum(name in of.obs_names for of in whole.mod.values()) >= 2 for name in whole.obs_names)
    if n_shared < min_factored:
        summary["no_factors"] = (
            f"{n_shared} {unit}s have two modalities or more, and a factor model needs {min_factored}"
        )
        return found, summary
    factors = find_factors(modelled(whole), n_factors=n_factors, n_permutations=n_permutations, seed=seed)
    if factors is None:
        summary["no_factors"] = "fewer than two modalities have features that vary"
        return found, summary
    _add_factors(whole, factors)
    summary["factors"] = {**_summary(factors), "n_shuffled": n_permutations}
    return found, summary


def _add_factors(whole: mudata.MuData, factors: Factors) -> None:
    names = list(factors.scores.columns)
    whole.obsm["X_mofa"] = factors.scores.reindex(whole.obs_names).to_numpy(np.float64)
    for name, loadings in factors.loadings.items():
        of = whole.mod[name]
        of.varm["LFs"] = loadings.reindex(of.var_names).to_numpy(np.float64)
    whole.uns["mofa"] = {
        "factors": names,
        "explained": {name: row.to_numpy(np.float64) for name, row in factors.explained.iterrows()},
        "shared": factors.shared.to_numpy(np.float64),
        "limit_by_chance": factors.limit,
    }


def _summary(factors: Factors, n_best: int = 5) -> dict[str, Any]:
    """Of each factor what it explains, whether it is shared beyond chance, and its strongest features."""
    limit = None if np.isnan(factors.limit) else factors.limit
    rows = []
    for name in map(str, factors.scores.columns):
        best = {}
        for modality, loadings in factors.loadings.items():
            strongest = loadings[name].reindex(loadings[name].abs().sort_values(ascending=False).index)
            best[modality] = [
                [str(feature), float(value)] for feature, value in strongest.head(n_best).items()
            ]
        shared = float(factors.shared[name])
        rows.append(
            {
                "name": name,
                "explained": {key: float(value) for key, value in factors.explained[name].items()},
                "shared": shared,
                "beyond_chance": None if limit is None else shared > limit,
                "best": best,
            }
        )
    return {"n_units": len(factors.scores), "limit": limit, "rows": rows}


def write_modalities(whole: mudata.MuData, path: Path) -> None:
    """Write a MuData, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"partial.{os.getpid()}.{path.name}")
    with mudata.set_options(pull_on_update=False):
        whole.write(temporary, compression="gzip")
    temporary.replace(path)


def read_modalities(path: Path) -> mudata.MuData:
    """Read a MuData that `write_modalities` wrote."""
    try:
        with mudata.set_options(pull_on_update=False):
            return mudata.read_h5mu(path)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            where=str(path), found=f"it cannot be read ({error})", do="delete it and run again"
        ) from error
