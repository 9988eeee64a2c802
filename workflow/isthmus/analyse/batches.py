"""Which cells belong to which batch, and principal components brought together across batches.

Method: Harmony (doi:10.1038/s41592-019-0619-0), by harmonypy, whose result is the same for any number of threads.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from isthmus.errors import UserError

log = logging.getLogger(__name__)

Method = Literal["none", "harmony"]
CORRECTED = "X_integrated"
# Harmony's clusters hold about 30 cells; with fewer cells than this there is nothing to correct by.
MIN_CELLS = 100


def batch_column(obs: pd.DataFrame, wanted: str = "batch") -> str:
    """The column of obs that says which batch a cell is of: `wanted`, or `sample` where there is no `batch`.

    Raises
    ------
    UserError
        Another column than `batch` was asked for and is missing, or some samples have no value in it.
    """
    if wanted not in obs:
        if wanted == "batch":
            return "sample"
        raise UserError(
            where="analysis.integration.batch_column",
            found=f"no column '{wanted}' in the table of cells",
            do="name a column of the sample sheet",
        )
    values = obs[wanted]
    without = obs.loc[values.isna() | (values.astype(str) == ""), "sample"].astype(str).unique()
    if len(without):
        raise UserError(
            where=f"sample {', '.join(without[:5])}",
            found=f"no value in column '{wanted}', which says which batch a sample is of",
            do="fill it for every sample, or for none",
        )
    return wanted


def batch_column_of(table: AnnData) -> str:
    """The column that the clustered table's batches were read from."""
    noted = table.uns.get("isthmus", {}).get("integration", {})
    return str(noted.get("batch_column", "sample"))


def correct_batches(
    table: AnnData,
    *,
    method: Method = "none",
    column: str = "batch",
    theta: float = 2.0,
    max_rounds: int = 10,
    seed: int = 0,
) -> dict[str, Any]:
    """Bring the batches together in obsm['X_pca'], in place.

    Adds obsm `X_integrated` (cells x components, float32) where there is something to correct: a method, two batches
    or more, and 100 cells or more. Counts, X and `X_pca` stay as they are.

    Returns
    -------
    What was done: `method`, `batch_column`, `n_batches`, `done`, and Harmony's options where it ran.
    """
    by = batch_column(table.obs, column)
    batches = table.obs[by].astype(str)
    record: dict[str, Any] = {"method": method, "batch_column": by, "n_batches": int(batches.nunique())}
    done = (
        method == "harmony" and record["n_batches"] > 1 and "X_pca" in table.obsm and table.n_obs >= MIN_CELLS
    )
    if not done:
        return {**record, "done": False}
    import harmonypy

    logging.getLogger("harmonypy").setLevel(logging.WARNING)
    found = harmonypy.run_harmony(
        np.asarray(table.obsm["X_pca"], dtype=np.float64),
        pd.DataFrame({"batch": batches.to_numpy()}),
        "batch",
        theta=theta,
        max_iter_harmony=max_rounds,
        random_state=seed,
        ncores=1,
        verbose=False,
    )
    corrected = np.asarray(found.Z_corr, dtype=np.float32)
    table.obsm[CORRECTED] = corrected if corrected.shape[0] == table.n_obs else corrected.T
    log.info("harmony: %d batches by '%s'", record["n_batches"], by)
    return {**record, "done": True, "theta": theta, "max_rounds": max_rounds, "seed": seed}
