"""How much light of one marker, or of neighbouring cells, shows where it does not belong.

Between channels: where cells that have marker a and lack marker b show more of b the more a they have, light of a may
show in b, as in neighbouring masses of mass cytometry (doi:10.1016/j.cels.2018.02.010) or overlapping fluors. The
measure is the slope of b on a over such cells (Theil and Sen, doi:10.1080/01621459.1968.10480934, of the medians of ten
groups by a). It is a hint and no compensation: weak b that goes with a looks the same.

Between cells: among cells without a marker, how much of the differences in its intensity the cells that they touch
explain (doi:10.3389/fimmu.2021.652631).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy.spatial import cKDTree
from scipy.stats import theilslopes

from isthmus.analyse.gating import split_marker
from isthmus.analyse.threads import single_thread
from isthmus.analyse.transform import TransformName, cofactors_of, raw_intensities, transformed

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_CELLS = 40
"""Cells with a marker (or without it) from which something can be said."""
BINS = 10
TOUCH = 1.2
"""Cells touch whose centroids are nearer than this times the sum of the radii of discs of their areas."""


def measure_spillover(
    table: AnnData, *, transform: TransformName = "arcsinh", cofactor: float | None = None, seed: int = 0
) -> None:
    """Add uns `crosstalk` and `neighbour_light`, one row a sample and pair of markers, or marker.

    crosstalk
        `sample`, `marker`, `into`, `share` (light of `into` for one unit of `marker`), `n_cells` with `marker` and
        without `into`; pairs with at least MIN_CELLS of them and a share that is above 0 with 95 % confidence.
    neighbour_light
        `sample`, `marker`, `share` (intensity for one unit of the mean of the cells touched), `explained` (share of the
        variance, 0 to 1), `n_cells` without the marker that touch others.
    """
    raw = raw_intensities(table)
    values = transformed(raw, transform, cofactors_of(raw, cofactor))
    samples = table.obs["sample"].astype(str).to_numpy()
    markers = [str(name) for name in table.var_names]
    pairs, light = [], []
    for sample in dict.fromkeys(samples.tolist()):
        mine = samples == sample
        have = _positive(values[mine], seed)
        pairs += [(sample, *row) for row in _between_channels(raw[mine], have, markers)]
        light += [(sample, *row) for row in _between_cells(table[mine], raw[mine], have, markers)]
    table.uns["crosstalk"] = pd.DataFrame(pairs, columns=["sample", "marker", "into", "share", "n_cells"])
    table.uns["neighbour_light"] = pd.DataFrame(
        light, columns=["sample", "marker", "share", "explained", "n_cells"]
    )


def _positive(values: Floats, seed: int) -> Bools:
    """Which cells have each marker; none where no two populations are told apart."""
    made = np.zeros(values.shape, dtype=bool)
    with single_thread():
        for column in range(values.shape[1]):
            split = split_marker(values[:, column], "mixture", seed)
            if split.separated:
                made[:, column] = split.positive >= 0.5
    return made


def _between_channels(raw: Floats, have: Bools, markers: list[str]) -> list[tuple[str, str, float, int]]:
    rows = []
    for a, marker in enumerate(markers):
        for b, into in enumerate(markers):
            cells = raw[have[:, a] & ~have[:, b]]
            if a == b or len(cells) < MIN_CELLS or not have[:, b].any():
                continue
            order = np.argsort(cells[:, a], kind="stable")
            parts = np.array_split(order, BINS)
            level = [cells[part, a].mean() for part in parts]
            if np.ptp(level) == 0:
                continue
            slope, _, low, _ = theilslopes([np.median(cells[part, b]) for part in parts], level, alpha=0.95)
            if low > 0:
                rows.append((marker, into, float(slope), len(cells)))
    return sorted(rows, key=lambda row: -row[2])


def _between_cells(
    table: AnnData, raw: Floats, have: Bools, markers: list[str]
) -> list[tuple[str, float, float, int]]:
    around = _mean_of_touched(table, raw)
    rows = []
    for column, marker in enumerate(markers):
        lacking = ~have[:, column] & np.isfinite(around[:, column])
        if lacking.sum() < MIN_CELLS or not have[:, column].any():
            continue
        x, y = around[lacking, column], raw[lacking, column]
        spread = x.var() * y.var()
        if spread == 0:
            continue
        shared = float(((x - x.mean()) * (y - y.mean())).mean())
        rows.append((marker, shared / float(x.var()), shared**2 / float(spread), int(lacking.sum())))
    return rows


def _mean_of_touched(table: AnnData, raw: Floats) -> Floats:
    """Mean intensities (cells x markers) of the cells that each touches; NaN where it touches none."""
    size = "area_um2" if "area_um2" in table.obs else "volume_um3"
    extent = table.obs[size].to_numpy(np.float64)
    radius = np.sqrt(extent / np.pi) if size == "area_um2" else np.cbrt(extent * 3 / (4 * np.pi))
    places = np.asarray(table.obsm["spatial"], dtype=np.float64)
    found = cKDTree(places).query_pairs(TOUCH * 2 * radius.max(initial=0.0), output_type="ndarray")
    i, j = found[:, 0], found[:, 1]
    distance = np.sqrt(((places[i] - places[j]) ** 2).sum(axis=1))
    near = distance < TOUCH * (radius[i] + radius[j])
    i, j = np.concatenate([i[near], j[near]]), np.concatenate([j[near], i[near]])
    total = np.zeros(raw.shape)
    np.add.at(total, i, raw[j])
    n = np.bincount(i, minlength=len(raw)).astype(np.float64)[:, np.newaxis]
    mean: Floats = np.divide(total, n, out=np.full(raw.shape, np.nan), where=n > 0)
    return mean


def mean_by_type(table: AnnData, by: str) -> pd.DataFrame:
    """Mean of X of each type: column `by`, then a column a marker; types in their order, without empty ones."""
    dense = table.X if isinstance(table.X, np.ndarray) else table.X.toarray()
    frame = pd.DataFrame(np.asarray(dense, np.float64), columns=[str(name) for name in table.var_names])
    groups = frame.groupby(table.obs[by].to_numpy(), observed=True, sort=True).mean()
    made: pd.DataFrame = groups.rename_axis(by).reset_index().astype({by: str})
    return made
