"""Names of the genes of a table of counts, without its counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from isthmus.counts.loom import GENES, attributes_of, name_of
from isthmus.counts.matrix import COPY, texts
from isthmus.counts.ten_x import MATRIX, UNREADABLE, group_of, parts_of, read_features
from isthmus.errors import UserError

SYMBOLS = ("gene_symbols", "feature_name", "gene_symbol")
"""Columns of an h5ad's var that name genes whose index are ids."""


def gene_names(path: Path, *, where: str) -> list[str] | None:
    """Names in the order of the file; None for text, which is not read through for them."""
    if path.is_dir() or path.name in MATRIX:
        folder = path if path.is_dir() else path.parent
        return read_features(parts_of(folder, where)[2], where)[1]
    readers = {".h5ad": _of_h5ad, ".h5": _of_ten_x, ".hdf5": _of_ten_x, ".loom": _of_loom}
    read = readers.get(path.suffix.lower())
    if read is None:
        return None
    try:
        with h5py.File(path, "r") as file:
            return read(file, where)
    except UNREADABLE as error:
        raise UserError(where=where, found=f"names of genes cannot be read ({error})", do=COPY) from error


def _of_ten_x(file: h5py.File, where: str) -> list[str]:
    group = group_of(file, where)
    return texts((group["features"]["name"] if "features" in group else group["gene_names"])[:])


def _of_loom(file: h5py.File, where: str) -> list[str]:
    rows, _ = attributes_of(file, where)
    return texts(rows[name_of(rows, GENES, where)][:])


def _of_h5ad(file: h5py.File, where: str) -> list[str]:
    """The genes of the counts that are read: those of raw, where there is no layer of counts."""
    is_raw = "layers/counts" not in file and "raw/X" in file
    var = file["raw/var" if is_raw else "var"]
    column = next((name for name in SYMBOLS if name in var), var.attrs["_index"])
    return _texts_of(var[column])


def _texts_of(values: Any) -> list[str]:
    if isinstance(values, h5py.Group):  # a text column of few values
        names = texts(values["categories"][:])
        return [names[code] for code in values["codes"][:]]
    return texts(values[:])
