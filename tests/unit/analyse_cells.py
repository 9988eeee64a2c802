"""Small tables of cells for the tests of `isthmus.analyse`."""

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse


def table_of(counts, *, sample="s1", genes=None, spatial=None, controls=None, low_quality=None) -> AnnData:
    """A table as build_table makes it, from counts (cells x genes)."""
    counts = sparse.csr_matrix(np.asarray(counts, dtype=np.int32))
    n_cells, n_genes = counts.shape
    instance = np.arange(1, n_cells + 1, dtype=np.int32)
    names = [f"{sample}-{number}" for number in instance]
    obs = pd.DataFrame(
        {
            "instance_id": instance,
            "region": "cells",
            "sample": sample,
            "area_um2": np.full(n_cells, 80.0),
            "nucleus_area_um2": np.full(n_cells, 40.0),
            "n_counts": np.asarray(counts.sum(axis=1)).ravel().astype(np.int32),
            "touches_seam": False,
            "touches_edge": False,
            "n_low_quality": np.zeros(n_cells, np.int32) if low_quality is None else low_quality,
        },
        index=names,
    )
    var = pd.DataFrame(index=[f"G{number}" for number in range(n_genes)] if genes is None else genes)
    table = AnnData(
        X=counts.copy(), obs=obs, var=var, layers={"counts": counts, "nucleus_counts": counts.copy()}
    )
    table.obsm["spatial"] = (
        np.column_stack([instance * 10.0, np.zeros(n_cells)]) if spatial is None else spatial
    )
    table.obsm["controls"] = pd.DataFrame(controls or {}, index=names)
    table.obsm["intensity"] = pd.DataFrame({"DAPI_nucleus_mean": instance * 1.5}, index=names)
    table.uns["isthmus"] = {"version": "0.1.0", "sample": sample}
    return table


def three_populations(n_each=30, *, seed=0, depth=60, sample="s1") -> AnnData:
    """Three kinds of cells over 30 genes, each with 6 genes of its own; the kind is in obs['truth']."""
    rng = np.random.default_rng(seed)
    share = np.full((3, 30), 1.0)
    for kind in range(3):
        share[kind, kind * 6 : kind * 6 + 6] = 12.0
    share /= share.sum(axis=1, keepdims=True)
    truth = np.repeat([0, 1, 2], n_each)
    table = table_of(np.stack([rng.multinomial(depth, share[kind]) for kind in truth]), sample=sample)
    table.obs["truth"] = truth
    table.obs["qc_pass"] = True
    table.obs["qc_reason"] = pd.Categorical([""] * len(truth), categories=[""])
    return table
