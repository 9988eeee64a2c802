"""Barcodes that hold two cells.

Method: Scrublet (doi:10.1016/j.cels.2018.11.005), by scanpy.
"""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from anndata import AnnData
from scipy import sparse

from isthmus.analyse.threads import single_thread

MIN_CELLS = 100
COMPONENTS = 30


def score_doublets(table: AnnData, *, expected_rate: float = 0.06, seed: int = 0) -> float | None:
    """Add obs `doublet_score` (float64, 0 to 1, more is more like two cells), in place.

    Returns
    -------
    The score between the two humps of those of simulated doublets, above which a barcode is one; None where there is no
    such valley, or where the table has fewer than 100 cells, whose scores are then NaN.
    """
    counts = sparse.csr_matrix(table.layers["counts"])
    table.obs["doublet_score"] = np.nan
    seen = np.asarray((counts > 0).sum(axis=0)).ravel() >= 3
    if table.n_obs < MIN_CELLS or seen.sum() < COMPONENTS:
        return None
    import scanpy

    bare = AnnData(X=counts[:, seen].astype(np.float32))
    with single_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scanpy.pp.scrublet(
            bare,
            expected_doublet_rate=expected_rate,
            n_prin_comps=min(COMPONENTS, table.n_obs - 1, int(seen.sum()) - 1),
            random_state=seed,
            verbose=False,
        )
    table.obs["doublet_score"] = bare.obs["doublet_score"].to_numpy(dtype=np.float64)
    found = bare.uns["scrublet"].get("threshold")
    return None if found is None or not np.isfinite(found) else float(found)


def doublet_bound(
    table: AnnData, method: Literal["none", "scrublet"], *, expected_rate: float, seed: int
) -> float | None:
    """The largest score of a barcode that passes, None for no bound; adds the scores where they are asked for."""
    return score_doublets(table, expected_rate=expected_rate, seed=seed) if method == "scrublet" else None
