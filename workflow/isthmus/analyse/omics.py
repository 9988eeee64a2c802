"""Other omics beside images: quality control and normalisation of a table of molecules.

A table has a row a key (sample, well, spot or cell) and a column a molecule. Nothing is invented: missing values stay
missing, and molecules that say nothing (constant, or missing in most keys) are marked and left out of joint analysis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from isthmus.errors import UserError

Floats = NDArray[np.float64]
Normalisation = Literal["none", "log1p", "median", "clr", "z"]

SHOWN = 20
"""Names that a summary lists of each kind; it always has their number."""


def well_name(name: str) -> str:
    """One spelling of a well: `a1`, `A01` and `A/1` are `A1`; other names stay as they are."""
    found = re.fullmatch(r"([A-Za-z]{1,2})[ /_-]?0*(\d{1,2})", name.strip())
    return f"{found[1].upper()}{found[2]}" if found else name.strip()


def _plain_well(unit: str) -> str:
    """`<sample>-<well>` with one spelling of the well."""
    sample, dash, well = unit.rpartition("-")
    return f"{sample}{dash}{well_name(well)}"


def match_keys(keys: Sequence[str], units: Sequence[str], key: str, samples: Sequence[str]) -> list[str]:
    """The unit of each key; a key that no unit has stays as it is.

    Units of samples are their names, those of wells `<sample>-<well>`, of spots and cells the row names of the cohort's
    table, `<sample>-<name>`. In a run of one sample the name alone will do.
    """
    known = {unit: unit for unit in units}
    if key == "well":
        known = {_plain_well(unit): unit for unit in units} | known
    found = []
    for name in keys:
        tried = [name]
        if key == "well":
            sample, _, well = name.rpartition("-")
            tried += [f"{sample}-{well_name(well)}"] if sample else []
        if key != "sample" and len(samples) == 1:
            tried += [f"{samples[0]}-{name}", f"{samples[0]}-{well_name(name)}"]
        found.append(next((known[other] for other in tried if other in known), name))
    return found


def spread_rows(values: pd.DataFrame, described: pd.Series[str]) -> pd.DataFrame:
    """A row for each unit, that of what it is described as; units whose description has no row are left out.

    Parameters
    ----------
    values
        Keys x molecules.
    described
        The key of each unit, units as index.
    """
    known = described[described.isin(set(values.index))]
    made = values.loc[list(known)]
    made.index = pd.Index([str(unit) for unit in known.index], dtype=object)
    return made


def assess_table(
    values: pd.DataFrame, units: pd.DataFrame, *, name: str, normalisation: Normalisation, max_missing: float
) -> tuple[AnnData, dict[str, Any]]:
    """Put a table into the order of the run's units, assess it and normalise it.

    Parameters
    ----------
    values
        Keys x molecules; keys are those of units where these have them (see `match_keys`), NaN where nothing is known.
    units
        A row a unit of the run, what is known of it in the columns (sample, batch, condition, ...).
    name
        Of the table, for errors.
    normalisation
        See `normalise`.
    max_missing
        Molecules that lack a larger share of values do not pass.

    Returns
    -------
    Units that the table has x molecules: X normalised, layers['raw'], obs as `units` with `n_missing`; var `missing`
    (share), `mean`, `variance` (of raw values), `qc_pass`, `qc_reason` (`missing`, `constant` or empty). And a summary
    that JSON can hold.
    """
    if values.index.has_duplicates:
        twice = values.index[values.index.duplicated()][0]
        raise UserError(
            where=f"analysis.omics '{name}'", found=f"two keys are '{twice}'", do="keep one of them"
        )
    kept = [unit for unit in units.index if unit in set(values.index)]
    raw = values.reindex(kept).to_numpy(np.float64)
    var = _assess_molecules(raw, values.columns, max_missing)
    table = AnnData(normalise(raw, normalisation, where=f"analysis.omics '{name}'"), units.loc[kept], var)
    table.layers["raw"] = raw
    table.obs["n_missing"] = np.isnan(raw).sum(axis=1)
    strange = [str(key) for key in values.index if key not in set(units.index)]
    without = [str(unit) for unit in units.index if unit not in set(values.index)]
    empty = [str(unit) for unit in table.obs_names[table.obs["n_missing"] == raw.shape[1]]]
    reasons = var["qc_reason"].astype(str)
    return table, {
        "rows": len(kept),
        "molecules": int(raw.shape[1]),
        "usable": int(var["qc_pass"].sum()),
        "missing_share": float(np.isnan(raw).mean()) if raw.size else 0.0,
        "normalisation": normalisation,
        "without_row": _named(without),
        "not_in_run": _named(strange),
        "empty_rows": _named(empty),
        "too_often_missing": _named(var.index[reasons == "missing"].tolist()),
        "constant": _named(var.index[reasons == "constant"].tolist()),
    }


def normalise(raw: Floats, how: Normalisation, *, where: str) -> Floats:
    """Values that are comparable between keys; NaN stays NaN.

    none
        As they are.
    log1p
        log(1 + x).
    median
        log2 of positive values less the key's median, plus the median of all keys' medians: as proteomics centres
        runs. Zeros count as missing.
    clr
        Centred log-ratio, log((x + 1) / geometric mean of the key's x + 1): for compositions.
    z
        Each molecule less its mean, by its standard deviation (of n - 1); 0 where it is constant.
    """
    if how in ("log1p", "clr", "median") and (raw < 0).any():
        row, column = np.argwhere(raw < 0)[0]
        raise UserError(
            where=where,
            found=f"normalisation '{how}' takes no negative values, but value {column + 1} of row {row + 1} is"
            f" {raw[row, column]:g}",
            do="choose 'none' or 'z'",
        )
    if how == "log1p":
        return np.log1p(raw)
    if how == "clr":
        logs = np.log1p(raw)
        return logs - _nan_mean(logs, axis=1)[:, np.newaxis]
    if how == "median":
        logs = np.log2(np.where(raw > 0, raw, np.nan))
        middle = _nan_median(logs, axis=1)
        return logs - middle[:, np.newaxis] + (np.nanmedian(middle) if np.isfinite(middle).any() else 0.0)
    return standardise(raw) if how == "z" else raw.copy()


def standardise(values: Floats) -> Floats:
    """Columns less their mean, by their standard deviation (of n - 1); 0 where a column is constant."""
    centred = values - _nan_mean(values, axis=0)
    n = np.maximum(np.isfinite(values).sum(axis=0) - 1, 1)
    spread = np.sqrt(np.nansum(centred**2, axis=0) / n)
    found: Floats = np.where(np.isfinite(values), centred / np.where(spread > 0, spread, 1.0), np.nan)
    return found


def _assess_molecules(raw: Floats, names: pd.Index, max_missing: float) -> pd.DataFrame:
    there = np.isfinite(raw)
    n = there.sum(axis=0)
    missing = 1 - n / max(1, raw.shape[0])
    mean = _nan_mean(raw, axis=0)
    variance = np.nansum((raw - mean) ** 2, axis=0) / np.maximum(n - 1, 1)
    low = np.min(np.where(there, raw, np.inf), axis=0, initial=np.inf)
    high = np.max(np.where(there, raw, -np.inf), axis=0, initial=-np.inf)
    reason = np.where((missing > max_missing) | (n == 0), "missing", np.where(low == high, "constant", ""))
    return pd.DataFrame(
        {
            "missing": missing,
            "mean": mean,
            "variance": variance,
            "qc_pass": reason == "",
            "qc_reason": pd.Categorical(reason, categories=["", "missing", "constant"]),
        },
        index=pd.Index(names.astype(str), dtype=object),
    )


def _nan_mean(values: Floats, axis: int) -> Floats:
    """The mean of what is there; NaN, without a warning, where nothing is."""
    n = np.isfinite(values).sum(axis=axis)
    found: Floats = np.where(n > 0, np.nansum(values, axis=axis) / np.maximum(n, 1), np.nan)
    return found


def _nan_median(values: Floats, axis: int) -> Floats:
    empty = ~np.isfinite(values).any(axis=axis, keepdims=True)
    found: Floats = np.nanmedian(np.where(empty, 0.0, values), axis=axis)
    return np.where(np.squeeze(empty, axis=axis), np.nan, found)


def _named(names: Sequence[str]) -> dict[str, Any]:
    return {"n": len(names), "first": [str(name) for name in names[:SHOWN]]}


def passing(table: AnnData) -> pd.DataFrame:
    """The normalised values of the molecules that passed quality control."""
    good = table.var["qc_pass"].to_numpy(bool) if "qc_pass" in table.var else np.ones(table.n_vars, bool)
    return pd.DataFrame(
        np.asarray(table.X)[:, good], index=table.obs_names, columns=table.var_names[good], dtype=np.float64
    )


def describe_units(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A row a unit from what is known of each; columns of text are categories, unknown is empty."""
    frame = pd.DataFrame.from_dict({name: dict(of) for name, of in records.items()}, orient="index")
    for column in frame:
        if frame[column].dtype == object:
            frame[column] = frame[column].fillna("").astype(str).astype("category")
    frame.index = pd.Index([str(name) for name in frame.index], dtype=object)
    return frame
