"""Correlation of what images tell of samples with molecules measured in the same samples.

Spearman's rank correlation over the samples that have both values. With few samples the usual t distribution gives
p values that are far too small (a perfect order of five samples would have p = 0), so up to EXACT samples without ties
p comes from all permutations, and beyond that it is never below what the best of all permutations could have.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

EXACT = 9
"""Up to so many samples all permutations are looked at (362,880)."""
COLUMNS = (
    *("unit", "feature_modality", "feature", "molecule_modality", "molecule", "n"),
    *("rho", "p_value", "p_adjusted"),
)
_ROUND = 1e-9


def correlate(
    features: Mapping[str, pd.DataFrame],
    molecules: Mapping[str, pd.DataFrame],
    *,
    unit: str,
    min_samples: int,
) -> pd.DataFrame:
    """Correlate every feature with every molecule.

    Parameters
    ----------
    features, molecules
        By modality, units x columns; NaN where there is no value. Units are matched by name.
    unit
        What a row is, for the column `unit`.
    min_samples
        Fewest units with both values; pairs with fewer, and those of which one does not vary, are not tested.

    Returns
    -------
    A row a tested pair, columns COLUMNS, by increasing p value. `p_adjusted` is corrected for all of them together
    (Benjamini and Hochberg, DOI 10.1111/j.2517-6161.1995.tb02031.x).
    """
    parts = []
    for feature_modality, left in features.items():
        for molecule_modality, right in molecules.items():
            units = [name for name in left.index if name in set(right.index)]
            if len(units) < min_samples:
                continue
            n, rho, p = _matrices(left.loc[units].to_numpy(), right.loc[units].to_numpy(), min_samples)
            at, other = np.nonzero(np.isfinite(rho))
            columns = [unit, feature_modality, left.columns.to_numpy()[at], molecule_modality]
            columns += [right.columns.to_numpy()[other], n[at, other], rho[at, other], p[at, other]]
            parts.append(pd.DataFrame(dict(zip(COLUMNS[:-1], columns, strict=True))))
    if not parts or not sum(len(part) for part in parts):
        return pd.DataFrame({name: [] for name in COLUMNS})
    whole = pd.concat(parts, ignore_index=True)
    whole["p_adjusted"] = stats.false_discovery_control(whole["p_value"].to_numpy(), method="bh")
    order = np.lexsort((-whole["rho"].abs().to_numpy(), whole["p_value"].to_numpy()))
    return whole.iloc[order].reset_index(drop=True)


def _matrices(left: Floats, right: Floats, least: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """n, rho and p of every pair of columns; rho is NaN where a pair is not tested.

    Columns that lack the same rows are taken together, because ranks are among the rows that both have.
    """
    n = np.zeros((left.shape[1], right.shape[1]), dtype=np.int64)
    rho, p = np.full(n.shape, np.nan), np.full(n.shape, np.nan)
    for mine in _by_pattern(left):
        for other in _by_pattern(right):
            rows = np.isfinite(left[:, mine[0]]) & np.isfinite(right[:, other[0]])
            if rows.sum() < least:
                continue
            box = np.ix_(mine, other)
            n[box] = rows.sum()
            rho[box], p[box] = spearman(left[np.ix_(rows, mine)], right[np.ix_(rows, other)])
    return n, rho, p


def _by_pattern(values: Floats) -> list[NDArray[np.int64]]:
    """Columns grouped by the rows in which they have values."""
    _, of = np.unique(np.isfinite(values), axis=1, return_inverse=True)
    of = of.reshape(-1)
    return [np.flatnonzero(of == group) for group in range(of.max() + 1)] if of.size else []


def spearman(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Rho and two-sided p of every pair of columns of two matrices with the same rows, all finite.

    rho and p are NaN where a column is constant.
    """
    n = left.shape[0]
    ranks = [stats.rankdata(values, axis=0) for values in (left, right)]
    tied = [np.any(np.diff(np.sort(values, axis=0), axis=0) == 0, axis=0) for values in (left, right)]
    scaled = []
    for values in ranks:
        centred = values - values.mean(axis=0)
        length = np.sqrt((centred**2).sum(axis=0))
        scaled.append(np.where(length > 0, centred / np.where(length > 0, length, 1.0), np.nan))
    rho = np.clip(scaled[0].T @ scaled[1], -1.0, 1.0)
    p = _by_t(rho, n)
    if n <= EXACT:
        exact = ~(tied[0][:, np.newaxis] | tied[1][np.newaxis, :]) & np.isfinite(rho)
        p[exact] = _exact(rho[exact], n)
    return rho, p


def _by_t(rho: Floats, n: int) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(rho) * np.sqrt((n - 2) / np.maximum(1 - rho**2, 0))
    found: Floats = 2 * stats.t.sf(t, n - 2)
    return np.where(np.isfinite(rho), np.maximum(found, min(1.0, 2 / factorial(n))), np.nan)


def _exact(rho: Floats, n: int) -> Floats:
    """Share of all permutations whose correlation is as far from 0 as rho."""
    null = _null(n)
    above = null.size - np.searchsorted(null, np.abs(rho) - _ROUND, side="left")
    return np.asarray(above / null.size, dtype=np.float64)


@lru_cache(maxsize=EXACT)
def _null(n: int) -> Floats:
    """|rho| of every permutation of n ranks, sorted."""
    permutations = np.zeros((1, 1), dtype=np.int8)
    for k in range(1, n):
        # k goes to each place of each permutation of what is below it
        parts = [np.insert(permutations, place, k, axis=1) for place in range(k + 1)]
        permutations = np.concatenate(parts)
    ranks = np.arange(n)
    squares = ((permutations.astype(np.int64) - ranks) ** 2).sum(axis=1)
    return np.sort(np.abs(1 - 6 * squares / (n * (n * n - 1))))
