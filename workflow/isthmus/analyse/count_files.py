"""Tables of counts of cells, by whatever file they come in: 10x folders and HDF5, h5ad, loom, and plain text.

Layouts: 10x Genomics' matrix folders (matrix.mtx with genes.tsv, since Cell Ranger 3 features.tsv, gzipped) and HDF5
(version 2: a group a genome; version 3: a group `matrix`); anndata's h5ad; loom 2 and 3 (rows are genes); CSV and TSV
with genes in rows or in columns. Loom was written from the format's description (linnarssonlab.org/loompy) and no real
file has tested it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from isthmus.analyse.count_text import read_matrix_folder, read_text_counts
from isthmus.analyse.files import read_table
from isthmus.errors import UserError

SUFFIXES = (".h5ad", ".h5", ".hdf5", ".loom", ".mtx", ".csv", ".tsv", ".txt")
_LARGEST_COUNT = np.iinfo(np.int32).max


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
    read = _reader_of(path)
    try:
        with warnings.catch_warnings():
            # Said below, in our words.
            warnings.filterwarnings("ignore", message=".*names are not unique.*")
            table = read(path)
    except (OSError, KeyError) as error:
        raise UserError(
            where=str(path), found=f"not a readable table of counts ({error})", do="see docs/readers.md"
        ) from error
    table.X = as_counts(table.X, str(path))
    if not table.n_obs or not table.n_vars:
        raise UserError(
            where=str(path),
            found=f"{table.n_obs} cells and {table.n_vars} genes",
            do="give a table that has both",
        )
    _name_genes_once(table)
    if not table.obs_names.is_unique:
        twice = str(table.obs_names[table.obs_names.duplicated()][0])
        raise UserError(
            where=str(path), found=f"cell '{twice}' occurs twice", do="give each cell its own name"
        )
    return table


def as_counts(values: object, where: str) -> sparse.csr_matrix:
    """A matrix as CSR int32, canonical; anything but whole numbers of 0 or more is told."""
    matrix = sparse.csr_matrix(values)
    matrix.sum_duplicates()
    data = matrix.data
    bad = ~np.isfinite(data) | (data < 0) | (data != np.floor(data)) | (data > _LARGEST_COUNT)
    if bad.any():
        raise UserError(
            where=where,
            found=f"the value {data[np.flatnonzero(bad)[0]]:g} where counts are expected",
            do="give raw counts: whole numbers, neither normalised nor logarithms",
        )
    counts = sparse.csr_matrix(
        (data.astype(np.int32), matrix.indices.astype(np.int32), matrix.indptr), shape=matrix.shape
    )
    counts.eliminate_zeros()
    return counts


def _reader_of(path: Path) -> Callable[[Path], AnnData]:
    if path.is_dir():
        return read_matrix_folder
    name = path.name.lower().removesuffix(".gz")
    readers: dict[str, Callable[[Path], AnnData]] = {
        ".h5ad": _read_h5ad,
        ".h5": _read_10x_hdf5,
        ".hdf5": _read_10x_hdf5,
        ".loom": _read_loom,
        ".mtx": lambda file: read_matrix_folder(file.parent),
        ".csv": read_text_counts,
        ".tsv": read_text_counts,
        ".txt": read_text_counts,
    }
    for suffix, reader in readers.items():
        if name.endswith(suffix):
            return reader
    raise UserError(
        where=str(path),
        found=f"'{path.name}' is no table of counts that is known",
        do=f"give a folder with matrix.mtx, or one of {', '.join(SUFFIXES)}",
    )


def _read_h5ad(path: Path) -> AnnData:
    """Counts are layers['counts'], else raw, else X."""
    table = read_table(path)
    if "counts" in table.layers:
        values, var = table.layers["counts"], table.var
    elif table.raw is not None:
        values, var = table.raw.X, table.raw.var
    else:
        values, var = table.X, table.var
    made = AnnData(X=sparse.csr_matrix(values), obs=table.obs, var=var.copy())
    for name in ("gene_symbols", "feature_name", "gene_symbol"):
        if name in made.var:
            made.var["gene_id"] = made.var_names.astype(str)
            made.var_names = made.var[name].astype(str).to_numpy()
            break
    for name in table.obsm:
        made.obsm[name] = table.obsm[name]
    return made


def _read_10x_hdf5(path: Path) -> AnnData:
    import h5py

    with h5py.File(path, mode="r") as file:
        if "matrix" in file:
            group, features = file["matrix"], file["matrix"]["features"]
            columns = {"name": features["name"], "gene_id": features["id"]}
            columns["feature_type"] = features["feature_type"]
        else:
            genomes = [name for name in file if "barcodes" in file[name]]
            if len(genomes) != 1:
                raise UserError(
                    where=str(path),
                    found=f"{len(genomes)} groups that hold a matrix"
                    + (f" ({', '.join(genomes)})" if genomes else ""),
                    do="give a 10x HDF5 file of one genome, or of version 3 with a group 'matrix'",
                )
            group = file[genomes[0]]
            columns = {"name": group["gene_names"], "gene_id": group["genes"]}
        parts = (group["data"][:], group["indices"][:], group["indptr"][:])
        n_genes, n_cells = (int(number) for number in group["shape"][:])
        # Stored genes x cells by column, which is cells x genes by row.
        matrix = sparse.csr_matrix(parts, shape=(n_cells, n_genes))
        barcodes = _text(group["barcodes"][:])
        var = pd.DataFrame({name: _text(values[:]) for name, values in columns.items()})
    return _table(matrix, barcodes, var)


def _read_loom(path: Path) -> AnnData:
    """Rows are genes; their names are the row attribute Gene, the cells' the column attribute CellID."""
    import h5py

    with h5py.File(path, mode="r") as file:
        if "matrix" not in file or "row_attrs" not in file or "col_attrs" not in file:
            raise UserError(
                where=str(path),
                found="no matrix with row_attrs and col_attrs",
                do="give a loom file of version 2 or 3",
            )
        rows, columns = file["row_attrs"], file["col_attrs"]
        gene = _first_of(rows, ("Gene", "gene", "gene_name", "var_names"), path, "row_attrs")
        cell = _first_of(columns, ("CellID", "cell_id", "obs_names", "Barcode"), path, "col_attrs")
        step = 2000
        blocks = [
            sparse.csc_matrix(file["matrix"][start : start + step]).T
            for start in range(0, file["matrix"].shape[0], step)
        ]
        var = pd.DataFrame({"name": _text(rows[gene][:])})
        if "Accession" in rows:
            var["gene_id"] = _text(rows["Accession"][:])
        names = _text(columns[cell][:])
        obs = {
            str(key): _text(columns[key][:]) if columns[key].dtype.kind in "OS" else columns[key][:]
            for key in columns
            if key != cell and columns[key].ndim == 1
        }
    table = _table(sparse.hstack(blocks, format="csr"), names, var)
    for key, values in obs.items():
        table.obs[key] = values
    return table


def _first_of(group: object, names: tuple[str, ...], path: Path, where: str) -> str:
    present = list(group)  # type: ignore[call-overload]
    for name in names:
        if name in present:
            return name
    raise UserError(
        where=f"{path}, {where}",
        found=f"none of {', '.join(names)}, only {', '.join(map(str, present)) or 'nothing'}",
        do="name genes and cells so",
    )


def _table(matrix: sparse.csr_matrix, cells: NDArray[np.str_], var: pd.DataFrame) -> AnnData:
    return AnnData(
        X=matrix,
        obs=pd.DataFrame(index=pd.Index(cells)),
        var=var.set_index(pd.Index(var.pop("name"), name=None)),
    )


def _text(values: NDArray[np.generic]) -> NDArray[np.str_]:
    return np.array(
        [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()],
        dtype=object,
    ).astype(str)


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
