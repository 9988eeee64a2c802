"""Quality control: which cells are good enough for analysis, and why the others are not.

No cell is removed here; every one is marked. The metrics are those of scanpy.pp.calculate_qc_metrics (a test
compares them); they are computed directly because they are plain sums and importing scanpy takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from isthmus.errors import UserError

Floats = NDArray[np.float64]

HISTOGRAM_BINS = 40
QUANTILES = {"min": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "max": 1.0}

# threshold: the column of obs that it is compared with
METRIC_OF = {
    "min_counts": "n_counts",
    "max_counts": "n_counts",
    "min_genes": "n_genes",
    "min_area_um2": "area_um2",
    "max_area_um2": "area_um2",
    "max_control_fraction": "control_fraction",
    "max_mito_fraction": "mito_fraction",
    "max_doublet_score": "doublet_score",
}


def mark_quality(
    table: AnnData,
    *,
    min_counts: int | None = 10,
    max_counts: int | None = None,
    min_genes: int | None = 5,
    min_area_um2: float | None = None,
    max_area_um2: float | None = None,
    max_control_fraction: float | None = 0.05,
    max_mito_fraction: float | None = None,
    mito_pattern: str = "^(MT|Mt|mt)-",
    max_doublet_score: float | None = None,
) -> dict[str, Any]:
    """Mark each cell as passing or not, in place, and describe the metrics before and after.

    Adds to obs: `n_genes` (int32, genes with a count), `n_control_counts` (int32), `control_fraction` and
    `low_quality_fraction` (float64, shares of the controls and of the transcripts of low quality among them
    and the counts; 0 for a cell with neither), `qc_pass` (bool) and `qc_reason` (category: the first
    threshold, in the order of the parameters, that the cell misses; empty where it passes). Adds to var:
    `n_cells`, `n_counts`.

    Parameters
    ----------
    table
        Cells x genes, counts in layers['counts']; obsm['controls'] and obs['n_low_quality'] where there are
        any.
    min_counts, max_counts, min_genes, min_area_um2, max_area_um2
        Bounds a cell must keep, inclusive; None for no bound. A cell without a value (NaN) misses a bound.
    max_control_fraction
        Largest share of controls, 0 to 1, inclusive; None for no bound.
    max_mito_fraction, mito_pattern
        Largest share of counts of genes whose name the pattern matches; they are added up in obs `mito_fraction`
        wherever there is such a gene.
    max_doublet_score
        Largest obs `doublet_score`; a cell without a score (NaN) passes no bound, so give none then.

    Returns
    -------
    A summary that JSON can hold: `cells`, `passed`, `genes`, `genes_detected`, `thresholds`, `removed` (by
    first reason), `missed` (cells that miss each threshold, whatever came first) and `metrics` (per metric
    the quantiles `before` and `after`, and a `histogram` with common `edges`).
    """
    thresholds = {
        "min_counts": min_counts,
        "max_counts": max_counts,
        "min_genes": min_genes,
        "min_area_um2": min_area_um2,
        "max_area_um2": max_area_um2,
        "max_control_fraction": max_control_fraction,
        "max_mito_fraction": max_mito_fraction,
        "max_doublet_score": max_doublet_score,
    }
    _check(thresholds)
    _add_metrics(table)
    _add_mitochondria(table, mito_pattern)
    if max_mito_fraction is not None and "mito_fraction" not in table.obs:
        raise UserError(
            where="analysis.quality.max_mito_fraction",
            found=f"no gene matches mito_pattern '{mito_pattern}' (genes: {', '.join(table.var_names[:3])}, ...)",
            do="correct the pattern, or leave the threshold out",
        )
    summary = mark_by(table, thresholds, METRIC_OF)
    if "in_tissue" in table.obs:
        _leave_out_glass(table, summary)
    genes = {"genes": int(table.n_vars), "genes_detected": int((table.var["n_counts"] > 0).sum())}
    return summary | genes


def _leave_out_glass(table: AnnData, summary: dict[str, Any]) -> None:
    """Spots beside the tissue do not pass, whatever was counted in them."""
    glass = ~table.obs["in_tissue"].to_numpy(dtype=bool)
    passed = table.obs["qc_pass"].to_numpy(dtype=bool)
    reason = table.obs["qc_reason"].cat.add_categories(["in_tissue"])
    reason[glass & passed] = "in_tissue"
    table.obs["qc_reason"], table.obs["qc_pass"] = reason, passed & ~glass
    summary["removed"]["in_tissue"] = int((glass & passed).sum())
    summary["missed"]["in_tissue"] = int(glass.sum())
    summary["passed"] = int((passed & ~glass).sum())


def mark_by(
    table: AnnData, thresholds: Mapping[str, float | None], metric_of: Mapping[str, str]
) -> dict[str, Any]:
    """Add obs `qc_pass` and `qc_reason` from thresholds on columns of obs; the summary of `mark_quality` but for genes.

    Parameters
    ----------
    thresholds
        Bounds, inclusive, by names that begin with `min_` or `max_`; None for no bound.
    metric_of
        The column of obs of each.
    """
    misses = _missed(table.obs, thresholds, metric_of)
    passed = ~np.logical_or.reduce([np.zeros(table.n_obs, bool), *misses.values()])
    table.obs["qc_pass"] = passed
    table.obs["qc_reason"] = _first_reason(misses, table.n_obs)
    return _summary(table, metric_of, passed=passed, thresholds=thresholds, misses=misses)


def explain_removed(reasons: pd.Series[Any]) -> str:
    """`1,100 by min_counts, 35 by min_genes`: what removed the cells, most first.

    Parameters
    ----------
    reasons
        Values of obs['qc_reason'].
    """
    counts = reasons[reasons != ""].astype(str).value_counts()
    return ", ".join(f"{number:,} by {reason}" for reason, number in counts.items())


def _check(thresholds: Mapping[str, float | None]) -> None:
    for name in ("counts", "area_um2"):
        low, high = thresholds[f"min_{name}"], thresholds[f"max_{name}"]
        if low is not None and high is not None and low > high:
            raise UserError(
                where="analysis.quality",
                found=f"min_{name} {low:g} is above max_{name} {high:g}",
                do="exchange them or leave one out",
            )


def _add_metrics(table: AnnData) -> None:
    counts = sparse.csr_matrix(table.layers["counts"])
    present = sparse.csr_matrix((counts.data > 0, counts.indices, counts.indptr), shape=counts.shape)
    total = _row_sums(counts)
    controls = (
        table.obsm["controls"].to_numpy(dtype=np.int64).sum(axis=1) if "controls" in table.obsm else 0 * total
    )
    low_quality = (
        table.obs["n_low_quality"].to_numpy(dtype=np.int64) if "n_low_quality" in table.obs else 0 * total
    )
    table.obs["n_counts"] = total.astype(np.int32)
    table.obs["n_genes"] = _row_sums(present).astype(np.int32)
    table.obs["n_control_counts"] = controls.astype(np.int32)
    table.obs["control_fraction"] = _share(controls, total)
    table.obs["low_quality_fraction"] = _share(low_quality, total)
    table.var["n_cells"] = np.asarray(present.sum(axis=0, dtype=np.int64)).ravel()
    table.var["n_counts"] = np.asarray(counts.sum(axis=0, dtype=np.int64)).ravel()


def _add_mitochondria(table: AnnData, pattern: str) -> None:
    matches = re.compile(pattern).search
    is_mito = np.array([matches(str(name)) is not None for name in table.var_names], dtype=bool)
    if is_mito.any():
        counts = sparse.csr_matrix(table.layers["counts"])
        mito, total = _row_sums(counts[:, np.flatnonzero(is_mito)]), _row_sums(counts)
        table.obs["mito_fraction"] = _share(mito, total - mito)


def _row_sums(matrix: sparse.csr_matrix) -> NDArray[np.int64]:
    return np.asarray(matrix.sum(axis=1, dtype=np.int64)).ravel()


def _share(part: NDArray[np.int64], rest: NDArray[np.int64]) -> Floats:
    whole = part + rest
    share: Floats = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    return share


def _missed(
    obs: pd.DataFrame, thresholds: Mapping[str, float | None], metric_of: Mapping[str, str]
) -> dict[str, NDArray[np.bool_]]:
    """For each threshold that is set, which cells miss it."""
    misses = {}
    for name, bound in thresholds.items():
        if bound is None:
            continue
        if metric_of[name] not in obs:
            raise UserError(
                where=f"analysis.quality.{name}",
                found=f"the table has no column '{metric_of[name]}'",
                do="leave this threshold out: a volume has no area, and only a panel names nuclear channels",
            )
        values = obs[metric_of[name]].to_numpy(dtype=np.float64)
        # written so that NaN misses
        misses[name] = ~(values >= bound) if name.startswith("min_") else ~(values <= bound)
    return misses


def _first_reason(misses: dict[str, NDArray[np.bool_]], n_cells: int) -> pd.Categorical[str]:
    reason = np.full(n_cells, "", dtype=object)
    for name, missed in reversed(misses.items()):
        reason[missed] = name
    return pd.Categorical(reason, categories=["", *misses])


def _summary(
    table: AnnData,
    metric_of: Mapping[str, str],
    *,
    passed: NDArray[np.bool_],
    thresholds: Mapping[str, float | None],
    misses: Mapping[str, NDArray[np.bool_]],
) -> dict[str, Any]:
    reasons = table.obs["qc_reason"]
    metrics: Sequence[str] = [
        name
        for name in (*dict.fromkeys(metric_of.values()), "low_quality_fraction", "nucleus_area_um2")
        if name in table.obs
    ]
    return {
        "cells": int(table.n_obs),
        "passed": int(passed.sum()),
        "thresholds": dict(thresholds),
        "removed": {name: int((reasons == name).sum()) for name in misses},
        "missed": {name: int(missed.sum()) for name, missed in misses.items()},
        "metrics": {name: _describe(table.obs[name].to_numpy(np.float64), passed) for name in metrics},
    }


def _describe(values: Floats, passed: NDArray[np.bool_]) -> dict[str, Any]:
    finite = np.isfinite(values)
    before, after = values[finite], values[finite & passed]
    edges = np.histogram_bin_edges(before, bins=HISTOGRAM_BINS)
    return {
        "before": _quantiles(before),
        "after": _quantiles(after),
        "histogram": {
            "edges": edges.tolist(),
            "before": np.histogram(before, edges)[0].tolist(),
            "after": np.histogram(after, edges)[0].tolist(),
        },
    }


def _quantiles(values: Floats) -> dict[str, float | int | None]:
    if not values.size:
        return {"n": 0, "mean": None, **dict.fromkeys(QUANTILES)}
    found = np.quantile(values, list(QUANTILES.values()))
    return {
        "n": int(values.size),
        "mean": float(values.mean()),
        **dict(zip(QUANTILES, found.tolist(), strict=True)),
    }
