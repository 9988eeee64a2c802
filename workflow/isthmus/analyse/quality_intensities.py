"""Quality control of cells with intensities and no transcripts: by size, nuclear signal and total intensity."""

from __future__ import annotations

from typing import Any

import numpy as np
from anndata import AnnData

from isthmus.analyse.quality import mark_by
from isthmus.analyse.transform import raw_intensities

METRIC_OF = {
    "min_area_um2": "area_um2",
    "max_area_um2": "area_um2",
    "min_nuclear_signal": "nuclear_signal",
    "min_total_intensity": "total_intensity",
    "max_total_intensity": "total_intensity",
}


def mark_intensities(table: AnnData, **thresholds: float | None) -> dict[str, Any]:
    """Mark each cell as passing or not, in place; see `quality.mark_quality`.

    Adds to obs: `total_intensity` (sum of X), `nuclear_signal` (where a panel names nuclear channels: their means in
    the nucleus above the background of the image, added up; NaN without a nucleus), `qc_pass`, `qc_reason`. Adds to
    var: `mean_intensity`.

    Parameters
    ----------
    thresholds
        Names of METRIC_OF with a bound, inclusive, or None for none.
    """
    raw = raw_intensities(table)
    table.obs["total_intensity"] = raw.sum(axis=1)
    table.var["mean_intensity"] = raw.mean(axis=0) if table.n_obs else np.zeros(table.n_vars)
    nuclear = table.var_names[table.var["role"] == "nuclear"] if "role" in table.var else []
    if len(nuclear):
        table.obs["nuclear_signal"] = sum(_above_background(table, marker) for marker in nuclear)
    bounds = {name: thresholds.get(name) for name in METRIC_OF}
    summary = mark_by(table, bounds, METRIC_OF)
    detected = int((table.var["mean_intensity"] > 0).sum())
    return summary | {"genes": int(table.n_vars), "genes_detected": detected}


def _above_background(table: AnnData, marker: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Mean of a channel in the nucleus, less the background of the image."""
    intensity = table.obsm["intensity"]
    names = (f"{marker}_{measure}_nucleus" for measure in ("mean", "sum", "integrated"))
    mean, total, above = (intensity[name].to_numpy(np.float64) for name in names)
    # sum and integrated are of as many pixels, and mean is sum / pixels
    return np.asarray(mean * np.divide(above, total, out=np.zeros_like(total), where=total > 0))
