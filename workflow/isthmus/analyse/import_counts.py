"""A sample of dissociated cells: its table of counts as the tables of cells that images give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from isthmus.analyse.count_files import read_counts
from isthmus.analyse.files import write_table
from isthmus.errors import UserError

GENE_EXPRESSION = "Gene Expression"


def import_counts(
    counts: Path, output: Path, *, sample: str, columns: Mapping[str, str], record: Mapping[str, Any]
) -> dict[str, int]:
    """Write the table before quality control; see `cells_of`. Returns its numbers of cells and genes, and of counts."""
    table = cells_of(read_counts(counts), sample=sample, columns=columns, where=str(counts))
    table.uns["isthmus"] = dict(record)
    write_table(table, output)
    total = int(table.X.sum(dtype=np.int64))
    return {"n_cells": int(table.n_obs), "n_genes": int(table.n_vars), "n_counts": total}


def cells_of(counts: AnnData, *, sample: str, columns: Mapping[str, str], where: str) -> AnnData:
    """One row a barcode that has counts, in the order of the file.

    Returns
    -------
    Cells x genes; X and layers['counts'] CSR int32. obs, index `<sample>-<instance_id>`: `instance_id` (row of the
    file, from 1), `barcode`, `sample`, `n_counts`, the columns of the sample sheet, and those of the file whose names
    are free. Features of other types than genes (antibodies, guides) go to obsm `features`.
    """
    matrix = sparse.csr_matrix(counts.X)
    is_gene = np.ones(counts.n_vars, dtype=bool)
    if "feature_type" in counts.var:
        is_gene = counts.var["feature_type"].isin([GENE_EXPRESSION, ""]).to_numpy()
    if not is_gene.any():
        raise UserError(
            where=where, found=f"no feature of type '{GENE_EXPRESSION}'", do="give counts of genes"
        )
    genes = matrix[:, is_gene]
    total = np.asarray(genes.sum(axis=1, dtype=np.int64)).ravel()
    rows = np.flatnonzero(total > 0)
    if not len(rows):
        raise UserError(
            where=where, found=f"all {counts.n_obs} barcodes are empty", do="give counts of cells"
        )
    instance = (rows + 1).astype(np.int64)
    obs = pd.DataFrame(
        {"instance_id": instance, "barcode": counts.obs_names[rows].astype(str), "sample": sample},
        index=[f"{sample}-{number}" for number in instance],
    )
    obs["n_counts"] = total[rows].astype(np.int32)
    for name, value in columns.items():
        obs[name] = value
    for name in counts.obs:
        if name not in obs:
            obs[name] = counts.obs[name].to_numpy()[rows]
    kept = genes[rows]
    var = counts.var.loc[is_gene, [name for name in ("gene_id",) if name in counts.var]]
    made = AnnData(X=kept, obs=obs, var=var, layers={"counts": kept.copy()})
    if not is_gene.all():
        other = pd.DataFrame(matrix[:, ~is_gene][rows].toarray(), index=obs.index)
        other.columns = counts.var_names[~is_gene].astype(str)
        made.obsm["features"] = other
    return made
