"""Whether conditions differ in the shares of their cell types, with samples, not cells, as what is counted.

Method: propeller (doi:10.1093/bioinformatics/btac582): shares of each sample as arcsine of the square root, a linear
model for each type with the conditions (and batches), variances moderated over the types by empirical Bayes
(limma, doi:10.2202/1544-6115.1027), p-values corrected by Benjamini and Hochberg
(doi:10.1111/j.2517-6161.1995.tb02031.x).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import polygamma

Floats = NDArray[np.float64]
Transform = Literal["arcsine", "clr"]

COLUMNS = ("statistic", "df", "p_value", "p_adjusted")
# Added to every count before logarithms are taken: a type that a sample lacks.
HALF_A_CELL = 0.5


@dataclass(frozen=True)
class Composition:
    """Shares and tests.

    Attributes
    ----------
    table
        One row a type: `type`, `n_cells`, `share_<condition>` (mean over its samples; `share` where there are no
        conditions), `statistic` (moderated F), `df` (of the denominator), `p_value`, `p_adjusted`; the last four NaN
        where nothing was tested.
    shares
        Samples x types: share of each sample's cells.
    note
        What was tested, or why nothing was.
    """

    table: pd.DataFrame
    shares: pd.DataFrame
    note: str


def compare_composition(
    samples: pd.Series[str],
    types: pd.Series[str],
    conditions: pd.Series[str] | None,
    batches: pd.Series[str] | None = None,
    *,
    transform: Transform = "arcsine",
) -> Composition:
    """Shares of the types in each sample, and a test of each type between conditions.

    Parameters
    ----------
    samples, types
        One value a cell.
    conditions, batches
        One value a cell, the same in all cells of a sample. A missing condition leaves its sample out of the test.
        Batches are a covariate where that leaves conditions estimable.
    transform
        Of the shares: 'arcsine' of the square root, or 'clr', the centred log-ratio of counts plus a half.
    """
    counts = pd.crosstab(samples.astype(str), types.astype(str))
    counts = counts.loc[list(pd.unique(samples.astype(str)))]
    shares = counts.div(counts.sum(axis=1), axis=0)
    of_sample = _by_sample(samples, conditions, counts.index)
    batch = _by_sample(samples, batches, counts.index)
    table = _describe(counts, shares, of_sample)
    tested = of_sample.dropna()
    reason = _why_not(tested)
    if reason:
        for name in COLUMNS:
            table[name] = np.nan
        return Composition(table, shares, reason)
    design, n_tested, note = _design(tested, batch.loc[tested.index])
    values = _transformed(counts.loc[tested.index].to_numpy(dtype=np.float64), transform)
    result = moderated_f(values, design, n_tested)
    for name, column in zip(COLUMNS, (*result, stats.false_discovery_control(result[2])), strict=True):
        table[name] = column
    return Composition(table, shares, note)


def moderated_f(values: Floats, design: Floats, n_tested: int) -> tuple[Floats, Floats, Floats]:
    """F statistic, denominator's degrees of freedom and p-value of the last `n_tested` columns of a design.

    Parameters
    ----------
    values
        Samples x types.
    design
        Samples x coefficients, of full rank.
    """
    n, p = design.shape
    free = n - p
    residual = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    kept = design[:, : p - n_tested]
    smaller = values - kept @ np.linalg.lstsq(kept, values, rcond=None)[0]
    variance = (residual**2).sum(axis=0) / free
    explained = ((smaller**2).sum(axis=0) - (residual**2).sum(axis=0)) / n_tested
    prior_free, prior = _prior_of_variances(variance, free)
    if np.isinf(prior_free):
        moderated = np.full_like(variance, prior)
    else:
        moderated = (prior_free * prior + free * variance) / (prior_free + free)
    # No more than all types together have: limma does the same.
    total = float(min(prior_free + free, free * len(variance)))
    statistic = np.divide(explained, moderated, out=np.zeros_like(explained), where=moderated > 0)
    p_value = stats.f.sf(statistic, n_tested, total)
    return statistic, np.full_like(statistic, total), np.asarray(p_value)


def _prior_of_variances(variance: Floats, free: int) -> tuple[float, float]:
    """Degrees of freedom and value of the prior that the variances of all types make together (limma's fitFDist)."""
    use = variance > 1e-12
    if use.sum() < 3:
        return 0.0, 1.0
    log = np.log(variance[use]) - polygamma(0, free / 2) + np.log(free / 2)
    spread = log.var(ddof=1) - polygamma(1, free / 2)
    if spread <= 0:
        return float("inf"), float(np.exp(log.mean()))
    prior_free = 2 * _trigamma_inverse(float(spread))
    prior = np.exp(log.mean() + polygamma(0, prior_free / 2) - np.log(prior_free / 2))
    return prior_free, float(prior)


def _trigamma_inverse(value: float) -> float:
    """Newton's method for 1/trigamma, which is convex: a handful of steps (limma, doi:10.2202/1544-6115.1027)."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        slope = float(polygamma(1, x))
        step = slope * (1 - slope / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return float(x)


def _by_sample(
    samples: pd.Series[str], values: pd.Series[str] | None, names: pd.Index[str]
) -> pd.Series[str]:
    """The value of each sample; missing where there is none."""
    if values is None:
        return pd.Series(pd.NA, index=names, dtype="string")
    text = values.astype("string").where(values.notna() & (values.astype(str) != ""))
    return pd.Series(text.to_numpy(), index=samples.astype(str).to_numpy()).groupby(level=0).first()[names]


def _describe(counts: pd.DataFrame, shares: pd.DataFrame, conditions: pd.Series[str]) -> pd.DataFrame:
    table = pd.DataFrame(
        {"type": counts.columns.astype(str), "n_cells": counts.sum().to_numpy(dtype=np.int64)}
    )
    known = sorted(conditions.dropna().unique())
    for name in known:
        table[f"share_{name}"] = shares[(conditions == name).fillna(False).to_numpy()].mean().to_numpy()
    if not known:
        table["share"] = shares.mean().to_numpy()
    return table


def _why_not(conditions: pd.Series[str]) -> str:
    sizes = conditions.value_counts()
    if len(sizes) < 2:
        return "nothing is tested: that needs two conditions (column `condition` of the sample sheet)"
    if len(conditions) - len(sizes) < 2 or (sizes >= 2).sum() < 2:
        told = ", ".join(f"{name} {n}" for name, n in sorted(sizes.items()))
        return f"nothing is tested: two conditions with two samples each are needed, there are {told}"
    return ""


def _design(conditions: pd.Series[str], batches: pd.Series[str]) -> tuple[Floats, int, str]:
    """Samples x coefficients (the conditions' last), how many of them are tested, and what to say."""
    tested = _contrasts(conditions)
    ones = np.ones((len(conditions), 1))
    said = f"{len(conditions)} samples of {tested.shape[1] + 1} conditions"
    if not batches.isna().any() and batches.nunique() > 1:
        both = np.column_stack([ones, _contrasts(batches), tested])
        if np.linalg.matrix_rank(both) == both.shape[1] and len(both) - both.shape[1] >= 2:
            return both, tested.shape[1], f"{said}, batches as a covariate"
        said += "; batches are no covariate, because with them the conditions cannot be told apart"
    return np.column_stack([ones, tested]), tested.shape[1], said


def _contrasts(values: pd.Series[str]) -> Floats:
    """A column for each level but the first."""
    levels = sorted(values.unique())
    return np.column_stack([(values == level).to_numpy(dtype=np.float64) for level in levels[1:]])


def _transformed(counts: Floats, transform: Transform) -> Floats:
    if transform == "arcsine":
        return np.asarray(np.arcsin(np.sqrt(counts / counts.sum(axis=1, keepdims=True))))
    logs = np.log(counts + HALF_A_CELL)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))
