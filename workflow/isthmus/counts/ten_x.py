"""Count matrices of 10x Genomics (Cell Ranger, Space Ranger): MTX folders and HDF5 files.

Layouts, old and new:
* a folder with `matrix.mtx`, `barcodes.tsv` and `features.tsv` (Cell Ranger 3 and later, gzipped; id, name, type)
  or `genes.tsv` (Cell Ranger 2; id, name), each plain or `.gz`; the matrix is features x barcodes, from 1:
  https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-mex-matrices
* HDF5 with group `matrix` (version 2 of the format: barcodes, data, indices, indptr, shape, features/id, /name,
  /feature_type, /genome), or a group a genome (version 1: genes, gene_names); columns are barcodes:
  https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-h5-matrices

MTX folders are tested on real files (Space Ranger), HDF5 on files made by the cited layout. Columns of features.tsv
beyond the third (chromosome, start, end of multiome kits) are not read; features without names go by their ids.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import h5py
from scipy.io import mmread
from scipy.sparse import csc_matrix

from isthmus.counts.matrix import COPY, GENE_EXPRESSION, CountMatrix, checked, texts
from isthmus.errors import UserError

MATRIX = ("matrix.mtx.gz", "matrix.mtx")
BARCODES = ("barcodes.tsv.gz", "barcodes.tsv")
FEATURES = ("features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv")

UNREADABLE = (
    *(OSError, EOFError, KeyError, IndexError, ValueError, TypeError, OverflowError, RuntimeError),
    zlib.error,
)
"""What libraries raise on files that are damaged or are something else."""


def is_ten_x(path: Path) -> bool:
    """Whether a path looks like a 10x matrix: a folder with an MTX file, or an HDF5 file of that layout."""
    if path.is_dir():
        return any((path / name).is_file() for name in MATRIX)
    if path.suffix != ".h5" or not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, "r") as file:
            return "matrix" in file or len(_genomes(file)) == 1
    except OSError:
        return False


def read_ten_x(path: Path, *, where: str) -> CountMatrix:
    """Read a count matrix, MTX folder or HDF5 file, into memory; UserError where a part is missing or damaged."""
    return read_ten_x_at(path, f"{where}, counts '{path}'")


def read_ten_x_at(path: Path, where: str) -> CountMatrix:
    """The same; `where` names the path already."""
    if path.is_dir():
        return _read_folder(path, where)
    if not path.exists():
        raise UserError(where=where, found="there is no such file or folder", do="correct the path")
    if not h5py.is_hdf5(path):
        do = "name a folder with matrix.mtx, or an .h5 file that Cell Ranger or Space Ranger wrote"
        raise UserError(where=where, found="it is no HDF5 file and no folder", do=do)
    return _read_hdf5(path, where)


def read_names(path: Path, *, where: str) -> tuple[list[str], list[str]]:
    """Barcodes, and the type of each feature, of a count matrix whose counts are left alone."""
    where = f"{where}, counts '{path}'"
    if path.is_dir():
        _, barcodes_path, features_path = parts_of(path, where)
        barcodes = [line.split("\t")[0] for line in lines_of(barcodes_path, where)]
        return barcodes, read_features(features_path, where)[2]
    try:
        with h5py.File(path, "r") as file:
            group = group_of(file, where)
            barcodes, (_, names, types) = texts(group["barcodes"][:]), _features(group)
    except KeyError as error:
        raise UserError(where=where, found=f"it lacks a data set ({error.args[0]})", do=COPY) from error
    except UNREADABLE as error:
        raise UserError(where=where, found=f"it cannot be read ({_words(error)})", do=COPY) from error
    return barcodes, types or [GENE_EXPRESSION] * len(names)


def parts_of(folder: Path, where: str) -> tuple[Path, Path, Path]:
    """Matrix, barcodes and features of a folder; UserError names one that is missing."""
    found = []
    for names in (MATRIX, BARCODES, FEATURES):
        there = next((folder / name for name in names if (folder / name).is_file()), None)
        if there is None:
            present = sorted(path.name for path in folder.iterdir())[:6]
            raise UserError(
                where=where,
                found=f"there is no {names[1]} (or .gz) in the folder, only {', '.join(present) or 'nothing'}",
                do="give the folder that holds matrix, features and barcodes",
            )
        found.append(there)
    return found[0], found[1], found[2]


def _read_folder(folder: Path, where: str) -> CountMatrix:
    matrix, barcodes_path, features_path = parts_of(folder, where)
    try:
        # scipy reads gzip by the name
        by_feature = mmread(matrix)
    except UNREADABLE as error:
        found = f"{matrix.name} cannot be read ({_words(error)})"
        raise UserError(where=where, found=found, do=COPY) from error
    ids, names, types = read_features(features_path, where)
    return checked(
        by_feature.T,
        [line.split("\t")[0] for line in lines_of(barcodes_path, where)],
        names,
        where=where,
        ids=ids,
        types=types,
        files=(matrix, barcodes_path, features_path),
    )


def read_features(path: Path, where: str) -> tuple[list[str], list[str], list[str]]:
    """Ids, names and types of features.tsv or genes.tsv."""
    rows = [line.split("\t") for line in lines_of(path, where)]
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        number = next(n for n, row in enumerate(rows, start=1) if len(row) != len(rows[0]))
        found = f"{path.name} has {len(rows[0])} columns, but {len(rows[number - 1])} in line {number}"
        raise UserError(where=where, found=found, do=COPY)
    names = [row[1] if len(row) > 1 else row[0] for row in rows]
    return [row[0] for row in rows], names, [row[2] if len(row) > 2 else GENE_EXPRESSION for row in rows]


def lines_of(path: Path, where: str) -> list[str]:
    """Lines of a text file, plain or gzipped."""
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines()
    except UNREADABLE as error:
        raise UserError(
            where=where, found=f"{path.name} cannot be read ({_words(error)})", do=COPY
        ) from error


def group_of(file: h5py.File, where: str) -> Any:
    """The group of the matrix: `matrix`, or that of the only genome of the older layout."""
    if "matrix" in file:
        return file["matrix"]
    genomes = _genomes(file)
    if len(genomes) == 1:
        return file[genomes[0]]
    if genomes:
        found = f"{len(genomes)} groups that hold a matrix ({', '.join(genomes)})"
        raise UserError(where=where, found=found, do="give a file of one genome")
    found = f"it holds no group 'matrix' (it holds {', '.join(file) or 'nothing'})"
    raise UserError(where=where, found=found, do="name a feature-barcode matrix of 10x Genomics")


def _genomes(file: h5py.File) -> list[str]:
    return [name for name in file if isinstance(file[name], h5py.Group) and "gene_names" in file[name]]


def _read_hdf5(path: Path, where: str) -> CountMatrix:
    try:
        with h5py.File(path, "r") as file:
            group = group_of(file, where)
            shape = tuple(int(n) for n in group["shape"][:])
            parts = (group["data"][:], group["indices"][:], group["indptr"][:])
            barcodes = texts(group["barcodes"][:])
            ids, names, types = _features(group)
        by_feature = csc_matrix(parts, shape=shape)
        by_feature.check_format(full_check=True)
    except KeyError as error:
        raise UserError(where=where, found=f"it lacks a data set ({error.args[0]})", do=COPY) from error
    except UNREADABLE as error:
        raise UserError(where=where, found=f"it cannot be read ({_words(error)})", do=COPY) from error
    return checked(by_feature.T, barcodes, names, where=where, ids=ids, types=types, files=(path,))


def _features(group: Any) -> tuple[list[str], list[str], list[str] | None]:
    if "features" in group:
        features = group["features"]
        types = texts(features["feature_type"][:]) if "feature_type" in features else None
        return texts(features["id"][:]), texts(features["name"][:]), types
    return texts(group["genes"][:]), texts(group["gene_names"][:]), None


def _words(error: BaseException) -> str:
    """An error of a library as words in one line."""
    return str(error) or type(error).__name__
