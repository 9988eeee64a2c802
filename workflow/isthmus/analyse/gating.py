"""Cell types by rules on markers, with thresholds found in the data of each sample.

A marker's transformed intensities are taken for two normal distributions, cells without and with the marker (Gaussian
mixture of scikit-learn, doi:10.5555/1953048.2078195), or are parted by Otsu's method (doi:10.1109/TSMC.1979.4310076).
The rules ask for the side of each threshold; a type is as sure as its weakest rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from isthmus.analyse.gates import Gate, check_markers
from isthmus.analyse.reference import UNASSIGNED
from isthmus.analyse.threads import single_thread
from isthmus.analyse.transform import (
    TransformName,
    cofactors_of,
    inverse,
    raw_intensities,
    transformed,
)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Threshold = Literal["mixture", "otsu"]

MIN_CELLS = 20
"""With fewer cells no threshold is looked for: no cell has the marker."""
MIN_SEPARATION = 2.0
"""Ashman's D below which two distributions are taken for one, doi:10.1086/117248."""
HISTOGRAM_BINS = 40
FAR_OUT = 3.0
"""Where there is one population only, cells this many robust standard deviations above its median have the marker."""


@dataclass(frozen=True)
class Split:
    """A marker in one sample: the threshold on transformed values, how sure each cell is to have the marker (0 to 1),
    whether two populations were told apart, and by how much (Ashman's D).
    """

    threshold: float
    positive: Floats
    separated: bool
    separation: float


def gate_cells(
    table: AnnData,
    gates: Sequence[Gate],
    *,
    transform: TransformName = "arcsinh",
    cofactor: float | None = None,
    threshold: Threshold = "mixture",
    min_confidence: float = 0.5,
    seed: int = 0,
    where: str = "analysis.gating.gates",
) -> None:
    """Give each cell a type by rules, in place.

    Of the types whose rules all hold with `min_confidence`, the one with most rules is taken (so that a row 'T cell'
    and a row 'helper T cell' may stand side by side), and of several the surest. Adds obs `cell_type` (category),
    `cell_type_confidence` (how sure the weakest rule is, float64) and `cell_type_best` (the best type whether or not it
    is good enough); uns `gates`: one row a sample and marker with the threshold in the image's units; uns
    `gate_histograms`: cells by transformed intensity, one row a sample, marker and bin.

    Parameters
    ----------
    gates
        Rules; UserError where a marker was not measured.
    transform, cofactor
        Of the intensities, before thresholds are looked for.
    threshold
        How they are found.
    seed
        Of the mixture's start.
    """
    check_markers(gates, [str(name) for name in table.var_names], where=where)
    markers = list(dict.fromkeys(marker for gate in gates for marker in gate.markers))
    columns = table.var_names.get_indexer(markers)
    raw = raw_intensities(table)
    cofactors = cofactors_of(raw, cofactor)
    values = transformed(raw, transform, cofactors)[:, columns]
    positive = np.zeros(values.shape)
    samples = table.obs["sample"].astype(str).to_numpy()
    rows, bins = [], []
    for sample in dict.fromkeys(samples.tolist()):
        mine = samples == sample
        for place, marker in enumerate(markers):
            with single_thread():
                split = split_marker(values[mine, place], threshold, seed)
            positive[mine, place] = split.positive
            found = _bins(values[mine, place], split.positive)
            bins += [(sample, marker, split.threshold, *each) for each in found]
            level = float(inverse(np.array(split.threshold), transform, cofactors[columns[place]]))
            rows.append(
                (
                    sample,
                    marker,
                    level,
                    float((split.positive >= 0.5).mean()),
                    split.separated,
                    split.separation,
                )
            )
    names = ("sample", "marker", "threshold", "positive", "separated", "separation")
    table.uns["gates"] = pd.DataFrame(rows, columns=list(names))
    table.uns["gate_histograms"] = pd.DataFrame(
        bins, columns=["sample", "marker", "threshold", "low", "high", "cells", "positive"]
    )
    _assign(table, gates, pd.DataFrame(positive, columns=markers), min_confidence)


def _bins(values: Floats, positive: Floats) -> list[tuple[float, float, int, int]]:
    """Bounds of each bin, its cells and those that have the marker."""
    edges = np.histogram_bin_edges(values, bins=HISTOGRAM_BINS)
    cells, having = np.histogram(values, edges)[0], np.histogram(values[positive >= 0.5], edges)[0]
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), cells.tolist(), having.tolist(), strict=True))


def split_marker(values: Floats, method: Threshold = "mixture", seed: int = 0) -> Split:
    """Tell cells with a marker from those without, by transformed intensities of one sample."""
    if values.size < MIN_CELLS or np.ptp(values) == 0:
        return Split(float(values.max(initial=0.0)), np.zeros(values.size), False, 0.0)
    return _by_mixture(values, seed) if method == "mixture" else _by_otsu(values)


def _by_mixture(values: Floats, seed: int) -> Split:
    from sklearn.mixture import GaussianMixture

    column = values[:, np.newaxis]
    two = GaussianMixture(2, random_state=seed, n_init=3).fit(column)
    one = GaussianMixture(1, random_state=seed).fit(column)
    low, high = np.argsort(two.means_.ravel())
    means, sds = two.means_.ravel(), np.sqrt(two.covariances_.ravel())
    separation = float(np.sqrt(2.0) * (means[high] - means[low]) / np.sqrt(sds[low] ** 2 + sds[high] ** 2))
    if separation < MIN_SEPARATION or one.bic(column) <= two.bic(column):
        return _one_population(values, separation)
    grid = np.linspace(means[low], means[high], 2001)
    chance = two.predict_proba(grid[:, np.newaxis])[:, high]
    threshold = float(grid[int(np.argmax(chance >= 0.5))])
    # beyond the means the wider distribution would win again on the wrong side
    inside = np.clip(values, means[low], means[high])
    return Split(threshold, two.predict_proba(inside[:, np.newaxis])[:, high], True, separation)


def _by_otsu(values: Floats) -> Split:
    from skimage.filters import threshold_otsu

    threshold = float(threshold_otsu(values))
    above = values > threshold
    low, high = values[~above], values[above]
    within = float(np.sqrt((low.var() * low.size + high.var() * high.size) / values.size)) or 1.0
    separation = float(np.sqrt(2.0) * (high.mean() - low.mean()) / (np.sqrt(low.var() + high.var()) or 1.0))
    positive = 1 / (1 + np.exp(-np.clip(4 * (values - threshold) / within, -50, 50)))
    return Split(threshold, positive, separation >= MIN_SEPARATION, separation)


def _one_population(values: Floats, separation: float) -> Split:
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    threshold = middle + FAR_OUT * (spread or float(values.std()))
    return Split(threshold, (values > threshold).astype(np.float64), False, separation)


def _assign(table: AnnData, gates: Sequence[Gate], positive: pd.DataFrame, min_confidence: float) -> None:
    support = np.column_stack(
        [
            np.column_stack(
                [positive[marker] for marker in gate.positive]
                + [1 - positive[marker] for marker in gate.negative]
            ).min(axis=1)
            for gate in gates
        ]
    )
    n_rules = np.array([len(gate.markers) for gate in gates])
    holds = support >= min_confidence
    # rules count before sureness, which is at most 1
    rank = np.where(holds, n_rules + support, support - 1)
    best = rank.argmax(axis=1)
    cells = np.arange(len(best))
    good = holds[cells, best]
    names = np.array([gate.cell_type for gate in gates], dtype=object)
    kinds = [*sorted(names), UNASSIGNED]
    table.obs["cell_type"] = pd.Categorical(np.where(good, names[best], UNASSIGNED), categories=kinds)
    table.obs["cell_type_confidence"] = support[cells, best]
    table.obs["cell_type_best"] = pd.Categorical(names[best], categories=kinds)
