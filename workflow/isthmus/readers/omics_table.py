"""Tables of other omics: a value for every key (sample, well, spot, cell) and molecule.

Formats are told by the name of the file: `.parquet`, `.h5ad`, else text with a header line and comma, tab or
semicolon between the values, plain or gzip.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from anndata.io import read_elem
from scipy import sparse

from isthmus.config.omics import OmicsTable
from isthmus.errors import UserError, did_you_mean, n_of

_DELIMITERS = (",", "\t", ";")
_NO_VALUE = ["", "NA", "na", "NaN", "nan", "N/A", "None", "null", "NULL"]
_TEXT_BYTES, _GZIP_BYTES = 6, 2.5
"""Bytes of a value in text and in gzip, to guess how many there are."""


@dataclass(frozen=True)
class OmicsHeader:
    """What a table is about, without its values. n_values is a guess for text."""

    keys: list[str]
    molecules: list[str]
    n_values: int


def read_header(options: OmicsTable) -> OmicsHeader:
    """Keys and molecules of a table.

    Raises
    ------
    UserError
        The file cannot be read as its name says, lacks the column of the keys, or names a key or molecule twice or
        not at all.
    """
    down, across, n_values = _names(options)
    keys, molecules = (down, across) if options.keys_in == "rows" else (across, down)
    _check(keys, f"{options.key} key", options)
    _check(molecules, "molecule", options)
    return OmicsHeader(keys, molecules, n_values)


def read_values(options: OmicsTable) -> pd.DataFrame:
    """Keys x molecules, float64, NaN where there is no value.

    Raises as `read_header`, and where a value is no number.
    """
    header = read_header(options)
    kind = _kind(options.path)
    try:
        values = {"h5ad": _h5ad_values, "parquet": _parquet_values, "text": _text_values}[kind](options)
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise _unreadable(options, error) from error
    values = values if options.keys_in == "rows" else values.T
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise UserError(
            where=_where(options),
            found=f"the value of {header.molecules[column]} in {header.keys[row]} is infinite",
            do="leave the cell empty where nothing was measured",
        )
    return pd.DataFrame(values, index=header.keys, columns=header.molecules)


def fault_of_keys(
    keys: Sequence[str], known: Sequence[str], options: OmicsTable, found: str = "sample of this run"
) -> UserError | None:
    """What is wrong with the keys of a table, seen from what a run has; None where they fit.

    Keys that the run lacks are no fault by themselves (a table may be of more than is analysed), but where one is
    almost the name of something that has no key, or none fits at all.

    Parameters
    ----------
    keys, known
        Keys of the table; names that the run has.
    found
        What the names are, in words.
    """
    free = set(known) - set(keys)
    strange = [key for key in keys if key not in set(known)]
    for key in strange:
        guess = _slip(key, free)
        if guess:
            return UserError(where=_where(options), found=f"key '{key}' is no {found}", do=guess)
    if len(strange) == len(keys):
        do = f"{did_you_mean(keys[0] if keys else '', known)}; see also analysis.omics options key, keys_in, key_column"
        shown = ", ".join(f"'{key}'" for key in keys[:3])
        return UserError(
            where=_where(options), found=f"no key is a {found} (the first are {shown})", do=do.lstrip("; ")
        )
    return None


def _slip(key: str, names: Iterable[str]) -> str:
    """`did you mean 'x'?` where a key is a slip of the pen; empty otherwise. Names with other numbers are no slips."""
    alike = [name for name in names if re.findall(r"[0-9]+", name) == re.findall(r"[0-9]+", key)]
    same = [name for name in alike if _bare(name) == _bare(key)]
    guess = f"did you mean '{same[0]}'?" if same else did_you_mean(key, alike)
    return guess if guess.startswith("did you mean") else ""


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _where(options: OmicsTable) -> str:
    return f"{options.path} (analysis.omics '{options.name}')"


def _kind(path: Path) -> Literal["h5ad", "parquet", "text"]:
    if path.suffix == ".h5ad":
        return "h5ad"
    return "parquet" if path.suffix in (".parquet", ".pq") else "text"


def _names(options: OmicsTable) -> tuple[list[str], list[str], int]:
    """Names down the side, names across the top, number of values."""
    try:
        if _kind(options.path) == "h5ad":
            with h5py.File(options.path) as file:
                down, across = (_h5ad_names(file[part]) for part in ("obs", "var"))
            return down, across, len(down) * len(across)
        if _kind(options.path) == "parquet":
            down, across = _parquet_names(options)
            return down, across, len(down) * len(across)
        down, across = _text_names(options)
        size = options.path.stat().st_size
        return down, across, int(size / (_GZIP_BYTES if _is_gzip(options.path) else _TEXT_BYTES))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, pa.ArrowException) as error:
        raise _unreadable(options, error) from error


def _h5ad_names(group: h5py.Group) -> list[str]:
    return [str(name) for name in read_elem(group[group.attrs["_index"]])]


def _parquet_names(options: OmicsTable) -> tuple[list[str], list[str]]:
    schema = pq.read_schema(options.path)
    column = _column(schema.names, options)
    down = pq.read_table(options.path, columns=[column]).column(0).to_pylist()
    return [_text(value) for value in down], [name for name in schema.names if name != column]


def _text_names(options: OmicsTable) -> tuple[list[str], list[str]]:
    names, delimiter = _header(options)
    column = names.index(_column(names, options))
    down = _read_text(options, names, delimiter, {column: pa.string()}).column(0).to_pylist()
    return [_text(value) for value in down], [name for i, name in enumerate(names) if i != column]


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _h5ad_values(options: OmicsTable) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    with h5py.File(options.path) as file:
        values = read_elem(file["X"])
    dense = values.toarray() if sparse.issparse(values) else values
    return np.asarray(dense, dtype=np.float64)


def _parquet_values(options: OmicsTable) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    column = _column(pq.read_schema(options.path).names, options)
    return _matrix(pq.read_table(options.path).drop_columns([column]))


def _text_values(options: OmicsTable) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    names, delimiter = _header(options)
    column = names.index(_column(names, options))
    kinds = {place: pa.float64() for place in range(len(names)) if place != column}
    return _matrix(_read_text(options, names, delimiter, kinds))


def _matrix(table: pa.Table) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise ValueError(f"column '{name}' holds {column.type}, not numbers")
        columns.append(column.cast(pa.float64()).to_numpy())
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0))


def _header(options: OmicsTable) -> tuple[list[str], str]:
    """Names of the columns and the delimiter."""
    with _open(options.path) as file:
        line = file.readline().decode("utf-8-sig").rstrip("\r\n")
    delimiter = max(_DELIMITERS, key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if len(names) < 2:
        raise ValueError("its first line has no columns; separate them by comma, tab or semicolon")
    return names, delimiter


def _column(names: Sequence[str], options: OmicsTable) -> str:
    """The column that names what is down the side."""
    wanted = options.key_column
    if wanted is None:
        return names[0]
    if wanted not in names:
        raise UserError(
            where=_where(options), found=f"there is no column '{wanted}'", do=did_you_mean(wanted, names)
        )
    return wanted


def _read_text(
    options: OmicsTable, names: Sequence[str], delimiter: str, kinds: dict[int, pa.DataType]
) -> pa.Table:
    unique = [f"{place}:{name}" for place, name in enumerate(names)]
    try:
        with _open(options.path) as file:
            table = pyarrow.csv.read_csv(
                file,
                read_options=pyarrow.csv.ReadOptions(column_names=unique, skip_rows=1, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=[unique[place] for place in kinds],
                    column_types={unique[place]: kind for place, kind in kinds.items()},
                    null_values=_NO_VALUE,
                ),
            )
    except pa.ArrowInvalid as error:
        found = re.sub(r"[Cc]olumn '\d+:", "column '", str(error))
        found = re.sub(r"CSV column #(\d+)", lambda hit: f"column '{names[int(hit[1])]}'", found)
        raise ValueError(found) from error
    return table


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb") if _is_gzip(path) else path.open("rb"))


def _is_gzip(path: Path) -> bool:
    return path.suffix == ".gz"


def _check(names: Sequence[str], what: str, options: OmicsTable) -> None:
    """Names must be there, and once each."""
    if not names:
        raise UserError(where=_where(options), found=f"there is no {what}", do="give a table with some")
    if "" in names:
        n = list(names).count("")
        raise UserError(
            where=_where(options), found=f"{n_of(n, what)} without a name", do="name each, or leave it out"
        )
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        raise UserError(
            where=_where(options),
            found=f"{what} '{twice[0]}' is there twice{more}",
            do="keep one of them, or take the mean of the two",
        )


def _unreadable(options: OmicsTable, error: Exception) -> UserError:
    if isinstance(error, UserError):
        return error
    formats = {"h5ad": "an h5ad file", "parquet": "a Parquet file", "text": "a table of text"}
    found = f"it cannot be read as {formats[_kind(options.path)]} ({' '.join(str(error).split())})"
    return UserError(where=_where(options), found=found, do="correct it; docs/omics.md shows what is read")
