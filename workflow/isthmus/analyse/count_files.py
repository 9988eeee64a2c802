"""Tables of counts of cells, by whatever file they come in: 10x folders and HDF5, h5ad, loom, and plain text."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import anndata
import pandas as pd
from anndata import AnnData

from isthmus.counts.gene_names import SYMBOLS
from isthmus.counts.loom import read_loom
from isthmus.counts.matrix import COPY, CountMatrix, as_counts, checked
from isthmus.counts.ten_x import UNREADABLE, read_ten_x_at
from isthmus.counts.text import read_text_counts
from isthmus.errors import UserError

SUFFIXES = (".h5ad", ".h5", ".hdf5", ".loom", ".mtx", ".csv", ".tsv", ".txt")


def read_counts(path: Path) -> AnnData:
    """Read a table of counts.

    Returns
    -------
    Cells x genes; X CSR int32; var index gene symbols made unique by their id, var `gene_id` where the file has ids,
    var `feature_type` where it has those; obs and obsm of an h5ad are kept.

    Raises
    ------
    UserError
        The path is none of the known kinds, lacks a part, is damaged, or holds other values than counts.
    """
    return kind_of(path)(path)


def kind_of(path: Path) -> Callable[[Path], AnnData]:
    """How a path is read; UserError where it is none of the known kinds."""
    if path.is_dir():
        return lambda file: _table(read_ten_x_at(file, str(file)))
    name = path.name.lower().removesuffix(".gz")
    readers: dict[str, Callable[[Path], AnnData]] = {
        ".h5ad": _read_h5ad,
        ".h5": lambda file: _table(read_ten_x_at(file, str(file))),
        ".hdf5": lambda file: _table(read_ten_x_at(file, str(file))),
        ".loom": lambda file: _table(read_loom(file)),
        ".mtx": lambda file: _table(read_ten_x_at(file.parent, str(file.parent))),
        ".csv": lambda file: _table(read_text_counts(file)),
        ".tsv": lambda file: _table(read_text_counts(file)),
        ".txt": lambda file: _table(read_text_counts(file)),
    }
    for suffix, reader in readers.items():
        if name.endswith(suffix):
            return reader
    raise UserError(
        where=str(path),
        found=f"'{path.name}' is no table of counts that is known",
        do=f"give a folder with matrix.mtx, or one of {', '.join(SUFFIXES)}",
    )


def _table(matrix: CountMatrix) -> AnnData:
    var = pd.DataFrame(index=pd.Index(matrix.feature_names.astype(str)))
    if matrix.has_ids:
        var["gene_id"] = matrix.feature_ids.astype(str)
    var["feature_type"] = matrix.feature_types.astype(str)
    table = _made(matrix.counts, pd.DataFrame(index=pd.Index(matrix.barcodes.astype(str))), var)
    for name, values in matrix.columns.items():
        table.obs[name] = values
    return table


def _read_h5ad(path: Path) -> AnnData:
    """Counts are layers['counts'], else raw, else X."""
    where = str(path)
    try:
        with warnings.catch_warnings():
            # Said below, in our words.
            warnings.filterwarnings("ignore", message=".*names are not unique.*")
            table = anndata.read_h5ad(path)
        if "counts" in table.layers:
            values, var = table.layers["counts"], table.var
        elif table.raw is not None:
            values, var = table.raw.X, table.raw.var
        else:
            values, var = table.X, table.var
    except UNREADABLE as error:
        raise UserError(where=where, found=f"not a readable h5ad file ({error})", do=COPY) from error
    if values is None:
        raise UserError(where=where, found="no matrix X", do="give a file that holds counts")
    counts = as_counts(values, where)
    checked(counts, list(map(str, table.obs_names)), list(map(str, var.index)), where=where)
    var = var.copy()
    for name in SYMBOLS:
        if name in var:
            var["gene_id"] = var.index.astype(str)
            var.index = pd.Index(var[name].astype(str).to_numpy())
            break
    made = _made(counts, table.obs, var)
    for name in table.obsm:
        made.obsm[name] = table.obsm[name]
    return made


def _made(counts: object, obs: pd.DataFrame, var: pd.DataFrame) -> AnnData:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique.*")
        table = AnnData(X=counts, obs=obs, var=var)
        _name_genes_once(table)
    return table


def _name_genes_once(table: AnnData) -> None:
    """Symbols that several genes share get their id behind them, or a number where there are no ids."""
    names = pd.Series(table.var_names.astype(str))
    twice = names.duplicated(keep=False)
    if twice.any():
        behind = (
            pd.Series(table.var["gene_id"].astype(str).to_numpy())
            if "gene_id" in table.var
            else (names.groupby(names).cumcount() + 1).astype(str)
        )
        names = names.where(~twice, names + "-" + behind)
    table.var_names = names.to_numpy()
    if not table.var_names.is_unique:
        table.var_names_make_unique()
