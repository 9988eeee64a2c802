"""How well batches mix, and how much of each batch's own structure a correction keeps.

Measures, on a bounded number of cells, all between 0 and 1, more is better:

* `batch_lisi`: (median LISI - 1) / (batches - 1), effective number of batches among near cells (Harmony,
  doi:10.1038/s41592-019-0619-0, as computed by harmonypy).
* `accepted_share`: cells whose nearest cells are of the batches as all cells are, by a chi-squared test at 5 % (kBET,
  doi:10.1038/s41592-018-0254-1).
* `batch_asw`: 1 - |silhouette by batch| among the cells of a type, mean of the types (scIB,
  doi:10.1038/s41592-021-01336-8).
* `neighbours_kept`: share of a cell's nearest cells of its own batch that are its nearest after correction too.
* `type_lisi`: (types - median LISI of the types) / (types - 1), and `type_asw`: (1 + silhouette by type) / 2 (scIB).

Types come from a reference by counts alone, so they favour neither embedding; without them the measures by type are
left out, and `batch_asw` takes all cells as of one type.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Strings = NDArray[np.str_]

COLUMNS = ("measure", "about", "before", "after")
MOST_CELLS = 4_000
NEAREST = 30
PERPLEXITY = 30.0
# A silhouette of a handful of cells says nothing.
MIN_GROUP = 10


def measure_integration(
    before: Floats,
    after: Floats | None,
    batches: Strings,
    types: Strings | None = None,
    *,
    most_cells: int = MOST_CELLS,
    seed: int = 0,
) -> pd.DataFrame:
    """Mixing and conservation before and after a correction.

    Parameters
    ----------
    before, after
        Cells x components; `after` is None where nothing was corrected.
    batches, types
        A name for each cell; cells of type 'unassigned' take no part in what is measured by type.
    most_cells
        So many are drawn at random, as many of each batch as its share, but at least 2 nearest neighbourhoods.
    seed
        Of that draw.

    Returns
    -------
    `measure`, `about` ('mixing' or 'conservation'), `before`, `after` (NaN where there is none). Empty where there is
    one batch only, or too few cells.
    """
    rows = _draw(batches, most_cells, seed)
    names, codes = np.unique(batches[rows], return_inverse=True)
    if len(names) < 2 or len(rows) <= 3 * NEAREST:
        return pd.DataFrame({name: [] for name in COLUMNS})
    of_type = None if types is None else types[rows]
    spaces = [np.asarray(space[rows], dtype=np.float64) for space in (before, after) if space is not None]
    measured = [_measure(space, codes, of_type) for space in spaces]
    kept = _neighbours_kept(spaces[0], spaces[-1], codes) if after is not None else np.nan
    table = [(name, about, value, measured[-1][name, about]) for (name, about), value in measured[0].items()]
    table.append(("neighbours_kept", "conservation", 1.0, kept))
    frame = pd.DataFrame(table, columns=list(COLUMNS))
    if after is None:
        frame["after"] = np.nan
    return frame


def _draw(batches: Strings, most_cells: int, seed: int) -> NDArray[np.int64]:
    """Rows in rising order, of each batch in proportion."""
    rng = np.random.default_rng(seed)
    share = min(1.0, most_cells / max(1, len(batches)))
    chosen = []
    for name in np.unique(batches):
        rows = np.flatnonzero(batches == name)
        wanted = min(len(rows), max(2 * NEAREST, round(share * len(rows))))
        chosen.append(rng.choice(rows, size=wanted, replace=False))
    return np.sort(np.concatenate(chosen))


def _measure(space: Floats, codes: NDArray[np.int64], types: Strings | None) -> dict[tuple[str, str], float]:
    n_batches = int(codes.max()) + 1
    found = {
        ("batch_lisi", "mixing"): (_median_lisi(space, codes) - 1) / (n_batches - 1),
        ("accepted_share", "mixing"): _accepted_share(space, codes),
        ("batch_asw", "mixing"): _batch_silhouette(space, codes, types),
    }
    if types is None:
        return found
    known = types != "unassigned"
    names, kinds = np.unique(types[known], return_inverse=True)
    if len(names) < 2 or known.sum() <= 3 * NEAREST:
        return found
    from sklearn.metrics import silhouette_score

    lisi = _median_lisi(space[known], kinds)
    found["type_lisi", "conservation"] = (len(names) - lisi) / (len(names) - 1)
    found["type_asw", "conservation"] = (1 + float(silhouette_score(space[known], kinds))) / 2
    return found


def _median_lisi(space: Floats, codes: NDArray[np.int64]) -> float:
    from harmonypy import compute_lisi

    frame = pd.DataFrame({"group": codes})
    return float(np.median(compute_lisi(space, frame, ["group"], perplexity=PERPLEXITY)))


def _accepted_share(space: Floats, codes: NDArray[np.int64]) -> float:
    """Share of cells at which the batches of the nearest cells are as those of all cells."""
    n_batches = int(codes.max()) + 1
    near = _nearest(space, NEAREST)
    seen = np.stack([(codes[near] == batch).sum(axis=1) for batch in range(n_batches)], axis=1)
    expected = NEAREST * np.bincount(codes, minlength=n_batches) / len(codes)
    statistic = ((seen - expected) ** 2 / expected).sum(axis=1)
    return float((stats.chi2.sf(statistic, n_batches - 1) >= 0.05).mean())


def _batch_silhouette(space: Floats, codes: NDArray[np.int64], types: Strings | None) -> float:
    from sklearn.metrics import silhouette_samples

    kinds = np.full(len(codes), "all") if types is None else types
    found = []
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        sizes = np.bincount(codes[rows])
        if (sizes >= MIN_GROUP).sum() < 2:
            continue
        found.append(float(np.mean(1 - np.abs(silhouette_samples(space[rows], codes[rows])))))
    return float(np.mean(found)) if found else float("nan")


def _neighbours_kept(before: Floats, after: Floats, codes: NDArray[np.int64]) -> float:
    shares = []
    for batch in range(int(codes.max()) + 1):
        rows = np.flatnonzero(codes == batch)
        k = min(NEAREST, len(rows) - 1)
        first, second = np.sort(_nearest(before[rows], k)), np.sort(_nearest(after[rows], k))
        shares += [len(np.intersect1d(a, b)) / k for a, b in zip(first, second, strict=True)]
    return float(np.mean(shares))


def _nearest(space: Floats, k: int) -> NDArray[np.int64]:
    """Cells x k: the nearest other cells."""
    _, near = cKDTree(space).query(space, k=k + 1)
    own = np.arange(len(space))[:, None]
    # Where cells lie at one place a cell is not always its own first answer: then the last is dropped.
    others = np.argsort(near == own, axis=1, kind="stable")[:, :k]
    found: NDArray[np.int64] = np.take_along_axis(near, others, axis=1)
    return found
