"""Count matrices of 10x Genomics (Cell Ranger, Space Ranger): MTX folders and HDF5 files.

Layouts, old and new:
* a folder with `matrix.mtx`, `barcodes.tsv` and `features.tsv` (Cell Ranger 3 and later, gzipped; id, name, type)
  or `genes.tsv` (Cell Ranger 2; id, name), each plain or `.gz`; the matrix is features x barcodes, from 1:
  https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-mex-matrices
* HDF5 with group `matrix` (version 2 of the format: barcodes, data, indices, indptr, shape, features/id, /name,
  /feature_type, /genome), or a group a genome (version 1: genes, gene_names); columns are barcodes:
  https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-h5-matrices

MTX folders are tested on real files (Space Ranger), HDF5 on files made by the cited layout.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import mmread
from scipy.sparse import csc_matrix, csr_matrix

from isthmus.errors import UserError

MATRIX = ("matrix.mtx.gz", "matrix.mtx")
BARCODES = ("barcodes.tsv.gz", "barcodes.tsv")
FEATURES = ("features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv")
GENE_EXPRESSION = "Gene Expression"

_COPY = "copy it again from its source"
_UNREADABLE = (OSError, EOFError, ValueError, UnicodeDecodeError, zlib.error)
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class CountMatrix:
    """Counts (barcodes x features, CSR int32) with their names.

    barcodes, feature_ids, feature_names and feature_types are arrays of text; where a format has no types all are
    'Gene Expression'. Names may occur twice, ids may not.
    """

    counts: csr_matrix
    barcodes: Texts
    feature_ids: Texts
    feature_names: Texts
    feature_types: Texts
    files: tuple[Path, ...]

    def features(self, keep: npt.NDArray[np.bool_]) -> CountMatrix:
        """The matrix of some of its features."""
        return CountMatrix(
            self.counts[:, keep],
            self.barcodes,
            self.feature_ids[keep],
            self.feature_names[keep],
            self.feature_types[keep],
            self.files,
        )

    def rows(self, keep: npt.NDArray[np.bool_]) -> CountMatrix:
        """The matrix of some of its barcodes."""
        return CountMatrix(
            self.counts[keep],
            self.barcodes[keep],
            self.feature_ids,
            self.feature_names,
            self.feature_types,
            self.files,
        )


def is_ten_x(path: Path) -> bool:
    """Whether a path looks like a 10x matrix: a folder with an MTX file, or an HDF5 file of that layout."""
    if path.is_dir():
        return any((path / name).is_file() for name in MATRIX)
    if path.suffix != ".h5" or not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, "r") as file:
            return _group_name(file) is not None
    except OSError:
        return False


def read_ten_x(path: Path, *, where: str) -> CountMatrix:
    """Read a count matrix, MTX folder or HDF5 file, into memory; UserError where a part is missing or damaged."""
    where = f"{where}, counts '{path}'"
    if path.is_dir():
        return _read_folder(path, where)
    if not path.exists():
        raise UserError(where=where, found="there is no such file or folder", do="correct the path")
    if not h5py.is_hdf5(path):
        do = "name a folder with matrix.mtx, or an .h5 file that Cell Ranger or Space Ranger wrote"
        raise UserError(where=where, found="it is no HDF5 file and no folder", do=do)
    return _read_hdf5(path, where)


def _read_folder(folder: Path, where: str) -> CountMatrix:
    files = [_first(folder, names, where) for names in (MATRIX, BARCODES, FEATURES)]
    matrix, barcodes_path, features_path = files
    try:
        # Counts are whole numbers; scipy reads gzip by the name.
        by_feature = mmread(matrix)
    except _UNREADABLE as error:
        found = f"{matrix.name} cannot be read ({error})"
        raise UserError(where=where, found=found, do=_COPY) from error
    barcodes = _lines(barcodes_path, where)
    rows = [line.split("\t") for line in _lines(features_path, where)]
    if any(len(row) < 2 for row in rows):
        found = f"{features_path.name} has a line without a name beside the id"
        raise UserError(where=where, found=found, do=_COPY)
    types = [row[2] if len(row) > 2 else GENE_EXPRESSION for row in rows]
    columns = ([row[0] for row in rows], [row[1] for row in rows], types)
    return _checked(csr_matrix(by_feature.T), barcodes, columns, tuple(files), where)


def _first(folder: Path, names: tuple[str, ...], where: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UserError(
        where=where, found=f"there is no {names[1]} (or .gz) in the folder", do="copy all its files"
    )


def _lines(path: Path, where: str) -> list[str]:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines()
    except _UNREADABLE as error:
        raise UserError(where=where, found=f"{path.name} cannot be read ({error})", do=_COPY) from error


def _group_name(file: h5py.File) -> str | None:
    """The group of the matrix: `matrix`, or that of the only genome of the older layout."""
    if "matrix" in file:
        return "matrix"
    genomes = [name for name in file if isinstance(file[name], h5py.Group) and "gene_names" in file[name]]
    return genomes[0] if len(genomes) == 1 else None


def _read_hdf5(path: Path, where: str) -> CountMatrix:
    try:
        with h5py.File(path, "r") as file:
            name = _group_name(file)
            if name is None:
                found = f"it holds no group 'matrix' (it holds {', '.join(file) or 'nothing'})"
                raise UserError(where=where, found=found, do="name a feature-barcode matrix of 10x Genomics")
            group = file[name]
            shape = tuple(int(n) for n in group["shape"][:])
            parts = (group["data"][:], group["indices"][:], group["indptr"][:])
            barcodes = _texts(group["barcodes"])
            columns = _features(group)
    except KeyError as error:
        raise UserError(where=where, found=f"it lacks a data set ({error.args[0]})", do=_COPY) from error
    except OSError as error:
        raise UserError(where=where, found=f"it cannot be read ({error})", do=_COPY) from error
    try:
        by_feature = csc_matrix(parts, shape=shape)
        by_feature.check_format(full_check=True)
    except ValueError as error:
        raise UserError(where=where, found=f"its matrix is inconsistent ({error})", do=_COPY) from error
    return _checked(csr_matrix(by_feature.T), barcodes, columns, (path,), where)


def _features(group: Any) -> tuple[list[str], list[str], list[str]]:
    if "features" in group:
        features = group["features"]
        ids, names = _texts(features["id"]), _texts(features["name"])
        types = _texts(features["feature_type"]) if "feature_type" in features else None
        return ids, names, types or [GENE_EXPRESSION] * len(ids)
    ids = _texts(group["genes"])
    return ids, _texts(group["gene_names"]), [GENE_EXPRESSION] * len(ids)


def _texts(dataset: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in dataset[:]]


def _checked(
    counts: csr_matrix,
    barcodes: list[str],
    columns: tuple[list[str], list[str], list[str]],
    files: tuple[Path, ...],
    where: str,
) -> CountMatrix:
    """The matrix when names and numbers fit together."""
    if counts.shape != (len(barcodes), len(columns[0])):
        found = (
            f"the matrix has {counts.shape[1]} features and {counts.shape[0]} barcodes, but {len(columns[0])} features "
            f"and {len(barcodes)} barcodes are named"
        )
        raise UserError(where=where, found=found, do=_COPY)
    for what, names in (("barcode", barcodes), ("feature id", columns[0])):
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            found = f"{what} '{twice}' occurs more than once"
            raise UserError(where=where, found=found, do="have the matrix written again")
    values = counts.data
    if values.size and not (
        np.isfinite(values).all() and values.min() >= 0 and (values == np.floor(values)).all()
    ):
        found = "it holds values that are no whole numbers from 0 on"
        raise UserError(where=where, found=found, do="give raw counts, not normalised ones")
    if values.size and values.max() > np.iinfo(np.int32).max:
        found = f"it holds the value {values.max():.0f}, more than any count"
        raise UserError(where=where, found=found, do=_COPY)
    counts = counts.astype(np.int32)
    counts.eliminate_zeros()
    counts.sort_indices()
    texts: list[Texts] = [np.array(column, dtype=object) for column in (barcodes, *columns)]
    return CountMatrix(counts, texts[0], texts[1], texts[2], texts[3], files)
