"""Counts in loom files of version 2 and 3: rows are genes.

Written from the format's description (linnarssonlab.org/loompy); no real file has tested it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import sparse

from isthmus.counts.matrix import COPY, CountMatrix, checked, texts
from isthmus.counts.ten_x import UNREADABLE
from isthmus.errors import UserError

GENES = ("Gene", "gene", "gene_name", "var_names")
CELLS = ("CellID", "cell_id", "obs_names", "Barcode")
_ROWS_AT_ONCE = 2_000


def read_loom(path: Path) -> CountMatrix:
    """Genes are named by the row attribute Gene, cells by the column attribute CellID."""
    where = str(path)
    try:
        with h5py.File(path, mode="r") as file:
            rows, columns = attributes_of(file, where)
            gene, cell = (
                name_of(rows, GENES, f"{where}, row_attrs"),
                name_of(columns, CELLS, f"{where}, col_attrs"),
            )
            blocks = [
                sparse.csc_matrix(file["matrix"][start : start + _ROWS_AT_ONCE]).T
                for start in range(0, file["matrix"].shape[0], _ROWS_AT_ONCE)
            ]
            ids = texts(rows["Accession"][:]) if "Accession" in rows else None
            names, barcodes = texts(rows[gene][:]), texts(columns[cell][:])
            told = {
                str(key): _column(columns[key]) for key in columns if key != cell and columns[key].ndim == 1
            }
        matrix = sparse.hstack(blocks, format="csr")
    except UNREADABLE as error:
        raise UserError(where=where, found=f"it cannot be read ({error})", do=COPY) from error
    if ids is not None and len(set(ids)) < len(ids):
        ids = None  # of no use as ids
    return checked(matrix, barcodes, names, where=where, ids=ids, files=(path,), columns=told)


def attributes_of(file: h5py.File, where: str) -> tuple[Any, Any]:
    """What the file tells of genes and of cells."""
    if "matrix" not in file or "row_attrs" not in file or "col_attrs" not in file:
        raise UserError(
            where=where,
            found="no matrix with row_attrs and col_attrs",
            do="give a loom file of version 2 or 3",
        )
    return file["row_attrs"], file["col_attrs"]


def name_of(group: Any, names: tuple[str, ...], where: str) -> str:
    """The attribute that names genes or cells."""
    for name in names:
        if name in group:
            return name
    raise UserError(
        where=where,
        found=f"none of {', '.join(names)}, only {', '.join(map(str, group)) or 'nothing'}",
        do="name genes and cells so",
    )


def _column(values: Any) -> Any:
    return np.array(texts(values[:]), dtype=object) if values.dtype.kind in "OS" else values[:]
