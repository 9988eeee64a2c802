"""Counts added up by sample and type of cell: what tests between conditions should be given, not single cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

CELLS_AT_ONCE = 200_000


def add_up_cells(table: AnnData, by: str) -> AnnData:
    """One row for each sample and type that has cells.

    Parameters
    ----------
    table
        Cells x genes; layers['counts'] integers. Where a table has no counts, the mean of layers['intensities'] or,
        without it, of X.
    by
        Column of obs that holds the types.

    Returns
    -------
    Rows in the order of samples, then types; X int64 sums (float64 means where there are no counts), CSR; obs `sample`,
    the column `by`, `n_cells`, `n_counts`, and every column of the table that has one value a sample. Index
    `<sample>-<type>`. uns['isthmus'] says what X holds.
    """
    counted = "counts" in table.layers
    values = table.layers["counts"] if counted else table.layers.get("intensities", table.X)
    types = table.obs[by].astype(str).to_numpy()
    samples = table.obs["sample"].astype(str).to_numpy()
    order = {name: number for number, name in enumerate(pd.unique(samples))}
    keys = pd.DataFrame({"at": [order[name] for name in samples], "type": types})
    number = keys.groupby(["at", "type"], sort=True).ngroup().to_numpy()
    n_groups = int(number.max()) + 1
    sums = np.zeros((n_groups, table.n_vars), dtype=np.int64 if counted else np.float64)
    for start in range(0, table.n_obs, CELLS_AT_ONCE):
        stop = min(start + CELLS_AT_ONCE, table.n_obs)
        part = values[start:stop]
        own = sparse.csr_matrix(
            (np.ones(stop - start, dtype=sums.dtype), (number[start:stop], np.arange(stop - start))),
            shape=(n_groups, stop - start),
        )
        added = own @ (part.astype(sums.dtype) if sparse.issparse(part) else np.asarray(part))
        sums += added.toarray() if sparse.issparse(added) else added
    first = pd.Series(np.arange(table.n_obs)).groupby(number).first().to_numpy()
    n_cells = np.bincount(number, minlength=n_groups)
    obs = pd.DataFrame({"sample": samples[first], by: types[first], "n_cells": n_cells.astype(np.int64)})
    for name in constant_columns(table.obs, by):
        obs[name] = table.obs[name].astype(str).to_numpy()[first]
    obs.index = pd.Index([f"{sample}-{kind}" for sample, kind in zip(obs["sample"], obs[by], strict=True)])
    if counted:
        obs["n_counts"] = sums.sum(axis=1)
    made = AnnData(
        X=sparse.csr_matrix(sums if counted else sums / n_cells[:, None]), obs=obs, var=table.var[[]].copy()
    )
    made.uns["isthmus"] = {"x": "sums of counts" if counted else "means of intensities", "by": by}
    return made


def constant_columns(obs: pd.DataFrame, *but: str) -> list[str]:
    """Text columns of obs with one value in all cells of a sample: batch, condition, the user's own."""
    skipped = {"sample", "region", "qc_reason", *but}
    found = []
    for name in obs:
        if name in skipped or not (
            obs[name].dtype == object or isinstance(obs[name].dtype, pd.CategoricalDtype)
        ):
            continue
        values = obs[[name, "sample"]].astype(str).drop_duplicates()
        if not obs[name].isna().any() and values["sample"].is_unique:
            found.append(str(name))
    return found
