"""What a file of counts says of itself without being read through: its kind, and how large it is."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from isthmus.counts.loom import CELLS, GENES, attributes_of, name_of
from isthmus.counts.matrix import COPY
from isthmus.counts.ten_x import MATRIX, UNREADABLE, group_of, lines_of, parts_of, read_features
from isthmus.counts.text import CELL_COLUMNS, separator_of
from isthmus.errors import UserError

_TEXT_CHUNK = 1 << 22
_MOST_FEATURES_BYTES = 1 << 24
_BANNER = ("%%matrixmarket", "matrix")
_BYTES_OF_VALUE = 4
"""Of text: a value above 0 with its separator, and some zeros around it."""


@dataclass(frozen=True)
class CountsHeader:
    """Size of a table of counts.

    n_values are the values above 0; all three are estimates where `is_exact` is false. tested_on_real_files is whether
    files of this kind that Isthmus did not make have been read. columns are what the file tells of its cells.
    """

    n_cells: int
    n_genes: int
    n_values: int
    is_exact: bool
    tested_on_real_files: bool
    columns: tuple[str, ...] = ()


def read_header(path: Path, *, where: str) -> CountsHeader:
    """Look at a table of counts of any kind; UserError names what it lacks."""
    if path.is_dir() or path.name in MATRIX:
        return _of_folder(path if path.is_dir() else path.parent, where)
    name = path.name.lower().removesuffix(".gz")
    kinds: dict[str, Callable[[Path, str], CountsHeader]] = {
        ".h5ad": _of_h5ad,
        ".h5": _of_ten_x,
        ".hdf5": _of_ten_x,
        ".loom": _of_loom,
        ".csv": _of_text,
        ".tsv": _of_text,
        ".txt": _of_text,
    }
    read = next((kinds[suffix] for suffix in kinds if name.endswith(suffix)), None)
    if read is None:
        raise UserError(
            where=where,
            found=f"'{path.name}' is no table of counts that is known",
            do=f"give a folder with matrix.mtx, or one of {', '.join(kinds)}",
        )
    try:
        header = read(path, where)
    except UNREADABLE as error:
        found = f"'{path.name}' is not a readable table of counts ({error})"
        raise UserError(where=where, found=found, do=COPY) from error
    if not header.n_cells or not header.n_genes:
        raise UserError(
            where=where,
            found=f"{header.n_cells} cells and {header.n_genes} genes",
            do="give a table that has both",
        )
    return header


def _of_folder(folder: Path, where: str) -> CountsHeader:
    matrix, barcodes, features = parts_of(folder, where)
    try:
        with gzip.open(matrix, "rt") if matrix.suffix == ".gz" else matrix.open() as stream:
            banner = stream.readline().lower().split()
            line = stream.readline()
            while line.startswith("%") or (line and not line.strip()):
                line = stream.readline()
        if tuple(banner[:2]) != _BANNER:
            raise ValueError("it does not begin with %%MatrixMarket matrix")
        if "coordinate" not in banner:
            raise ValueError("it is not of the kind 'coordinate'")
        n_genes, n_cells, n_values = (int(word) for word in line.split())
    except UNREADABLE as error:
        raise UserError(
            where=where, found=f"{matrix.name} has no header of a Matrix Market file ({error})", do=COPY
        ) from error
    if features.stat().st_size < _MOST_FEATURES_BYTES:
        _compare(len(read_features(features, where)[0]), n_genes, "features", features, matrix, where)
    if barcodes.stat().st_size < _MOST_FEATURES_BYTES:
        _compare(len(lines_of(barcodes, where)), n_cells, "barcodes", barcodes, matrix, where)
    return CountsHeader(n_cells, n_genes, n_values, is_exact=True, tested_on_real_files=True)


def _compare(named: int, held: int, what: str, names: Path, matrix: Path, where: str) -> None:
    if named != held:
        raise UserError(
            where=where,
            found=f"{names.name} names {named} {what}, {matrix.name} has {held}",
            do="give files of one export",
        )


def _of_ten_x(path: Path, where: str) -> CountsHeader:
    with h5py.File(path, "r") as file:
        group = group_of(file, where)
        n_genes, n_cells = (int(number) for number in group["shape"][:])
        if len(group["indptr"]) != n_cells + 1 or len(group["barcodes"]) != n_cells:
            raise ValueError(f"{n_cells} barcodes, of which {len(group['barcodes'])} are named")
        n_named = len(group["features"]["id"] if "features" in group else group["genes"])
        if n_named != n_genes:
            raise ValueError(f"{n_genes} features, of which {n_named} are named")
        return CountsHeader(n_cells, n_genes, len(group["data"]), is_exact=True, tested_on_real_files=False)


def _of_h5ad(path: Path, where: str) -> CountsHeader:
    with h5py.File(path, "r") as file:
        place = next((name for name in ("layers/counts", "raw/X", "X") if name in file), None)
        if place is None or "obs" not in file or "var" not in file:
            raise ValueError("it lacks X, obs or var")
        values: Any = file[place]
        is_sparse = isinstance(values, h5py.Group)
        n_cells, n_genes = (int(n) for n in (values.attrs["shape"] if is_sparse else values.shape))
        # of a dense table the stored bytes tell more than its area: zeros compress
        n_values = len(values["data"]) if is_sparse else min(n_cells * n_genes, path.stat().st_size)
        columns = tuple(map(str, file["obs"]))
    return CountsHeader(n_cells, n_genes, n_values, is_sparse, tested_on_real_files=False, columns=columns)


def _of_loom(path: Path, where: str) -> CountsHeader:
    with h5py.File(path, "r") as file:
        rows, columns = attributes_of(file, where)
        name_of(rows, GENES, f"{where}, row_attrs")
        name_of(columns, CELLS, f"{where}, col_attrs")
        n_genes, n_cells = (int(n) for n in file["matrix"].shape)
        n_values = min(n_cells * n_genes, path.stat().st_size)
        return CountsHeader(n_cells, n_genes, n_values, False, False, tuple(map(str, columns)))


def _of_text(path: Path, where: str) -> CountsHeader:
    """The first lines; rows by the bytes of the others."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        head, first = stream.readline(), stream.readline(_TEXT_CHUNK)
    if not head.strip():
        raise UserError(where=where, found="the file is empty", do="give a table of counts")
    if not first.strip():
        raise UserError(where=where, found="a header without rows", do="give a table of counts")
    separator = separator_of(path)
    corner, columns = head.decode().partition(separator)[0], head.decode().count(separator)
    if not columns or first.decode().count(separator) != columns:
        found = (
            f"{columns + 1} columns in the first line and {first.decode().count(separator) + 1} in the second"
        )
        raise UserError(where=where, found=found, do="give CSV, or TSV that is called .tsv or .txt")
    expanded = _expanded_bytes(path)
    rows = max(1, (expanded - len(head)) // len(first))
    n_values = min(rows * columns, expanded // _BYTES_OF_VALUE)
    in_rows = corner.strip('" ').lower() in CELL_COLUMNS
    n_cells, n_genes = (rows, columns) if in_rows else (columns, rows)
    return CountsHeader(n_cells, n_genes, n_values, is_exact=False, tested_on_real_files=True)


def _expanded_bytes(path: Path) -> int:
    """Bytes of a text; a gzipped file has those of its last part, modulo 4 GiB, at its end."""
    stored = path.stat().st_size
    if path.suffix != ".gz":
        return stored
    with path.open("rb") as stream:
        stream.seek(-4, 2)
        told = int.from_bytes(stream.read(4), "little")
    return told if told >= stored // 2 else 4 * stored
