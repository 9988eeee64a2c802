"""Correlation of what images tell of samples with molecules measured in the same samples.

Spearman's rank correlation over the samples that have both values. The usual t distribution gives p values that are far
too small where it matters when thousands of pairs are tested: with 10 samples a p of 0.0001 is really 0.0005, and even
with 20 samples one of 0.00004 is really 0.0001. So up to EXACT samples p comes from all permutations, and beyond that
from the distribution of Pearson's type II with the variance and the kurtosis that permutations have (Kendall and
Gibbons, Rank Correlation Methods, 1990, 5.8), which is right to a tenth at p = 0.001 and errs on the safe side further
out (docs/omics.md has the figures). Where values are tied, p is that of as many values without ties.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

EXACT = 14
"""Up to so many samples all permutations are counted."""
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
    scaled = []
    for values in (left, right):
        ranks = stats.rankdata(values, axis=0)
        centred = ranks - ranks.mean(axis=0)
        length = np.sqrt((centred**2).sum(axis=0))
        scaled.append(np.where(length > 0, centred / np.where(length > 0, length, 1.0), np.nan))
    rho = np.clip(scaled[0].T @ scaled[1], -1.0, 1.0)
    return rho, p_of(rho, n)


def p_of(rho: Floats, n: int) -> Floats:
    """Share of the permutations of n ranks whose correlation is as far from 0 as rho; NaN where rho is."""
    if n > EXACT:
        return _fitted(rho, n)
    sizes, shares = _null(n)
    at = np.searchsorted(sizes, np.abs(rho) - _ROUND, side="left")
    return np.where(np.isfinite(rho), shares[np.minimum(at, sizes.size - 1)], np.nan)


def _fitted(rho: Floats, n: int) -> Floats:
    fourth = 25 * n**4 - 13 * n**3 - 73 * n**2 + 37 * n + 72
    kurtosis = 3 * fourth / (25 * n * (n + 1) ** 2 * (n - 1))
    freedom = (3 + kurtosis) / (3 - kurtosis)
    part = np.abs(rho) / np.sqrt((freedom - 1) / (n - 1))
    found: Floats = 2 * stats.t.sf(part * np.sqrt((freedom - 2) / (1 - part**2)), freedom - 2)
    return found


@lru_cache(maxsize=EXACT)
def _null(n: int) -> tuple[Floats, Floats]:
    """Every |rho| that n ranks can have, increasing, and the share of permutations with one as large.

    Permutations are counted by the sum of their squared differences, place by place; what has been placed is a set of
    bits.
    """
    most = n * (n * n - 1) // 3
    counts = {0: np.eye(1, most + 1, dtype=np.int64)[0]}
    for place in range(n):
        longer: dict[int, NDArray[np.int64]] = {}
        for used, before in counts.items():
            for rank in range(n):
                if not used >> rank & 1:
                    after = longer.setdefault(used | 1 << rank, np.zeros(most + 1, dtype=np.int64))
                    square = (place - rank) ** 2
                    after[square:] += before[: most + 1 - square]
        counts = longer
    (total,) = counts.values()
    rho = np.abs(1 - 6 * np.arange(most + 1) / (n * (n * n - 1)))
    order = np.argsort(rho, kind="stable")
    return rho[order], np.cumsum(total[order][::-1])[::-1] / total.sum()
