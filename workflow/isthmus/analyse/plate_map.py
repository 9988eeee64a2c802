"""Tables that say what is in the wells of a plate, or what else was measured of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from isthmus.errors import UserError, did_you_mean

WELL = re.compile(r"([A-Za-z]{1,2})0*([1-9]\d?)")
TAKEN = ("row", "column", "n_cells", "n_images", "is_control", "sample")


def well_key(name: str) -> str | None:
    """B2, b02 and B002 are one well; None for what is no well."""
    match = WELL.fullmatch(name.strip())
    return f"{match[1].upper()}{int(match[2])}" if match else None


def read_plate_map(path: Path, *, sample: str, wells: Sequence[str]) -> pd.DataFrame:
    """Columns of a plate map (TSV or CSV) for the wells of a plate, in their order.

    Parameters
    ----------
    path
        With a column `well`; with a column `sample` its rows belong to that sample alone.
    sample, wells
        The plate and its wells.

    Raises
    ------
    UserError
        There is no column `well`, a well is described twice, or a well of the plate is not described.
    """
    table = read_text_table(path)
    where = f"plate map '{path}'"
    _need(table, "well", where)
    taken = [name for name in table.columns if name in TAKEN and name != "sample"]
    if taken:
        raise UserError(
            where=where, found=f"column '{taken[0]}' is the name of a column of wells.h5ad", do="rename it"
        )
    if "sample" in table:
        table = table[table["sample"] == sample].drop(columns="sample")
        if table.empty:
            raise UserError(where=where, found=f"it has no rows of sample '{sample}'", do="add them")
    keys = [well_key(name) for name in table["well"]]
    for name, key, line in zip(table["well"], keys, table.index, strict=True):
        if key is None:
            raise UserError(
                where=f"{where}, row {line + 2}",
                found=f"'{name}' is no well",
                do="name wells by row and column, such as B02",
            )
    table = table.assign(key=pd.Index(keys, dtype=object))
    twice = table["key"][table["key"].duplicated()]
    if len(twice):
        raise UserError(
            where=f"{where}, row {twice.index[0] + 2}",
            found=f"well {twice.iloc[0]} is described twice",
            do="keep one row a well",
        )
    table = table.set_index("key")
    wanted = [well_key(well) for well in wells]
    missing = [well for well, key in zip(wells, wanted, strict=True) if key not in table.index]
    if missing:
        raise UserError(
            where=where,
            found=f"it has no row for well {missing[0]}, which the plate has ({len(missing)} are missing)",
            do="add a row for each well",
        )
    found = table.loc[wanted].drop(columns="well")
    found.index = pd.Index(list(wells), dtype=object)
    return found


def read_text_table(path: Path) -> pd.DataFrame:
    """A table of text, comma- or tab-separated by its name; all values as they are written."""
    separator = "," if path.name.lower().endswith((".csv", ".csv.gz")) else "\t"
    try:
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise UserError(
            where=f"table '{path}'",
            found=f"it cannot be read ({' '.join(str(error).split())})",
            do="save it as tab-separated text (.tsv) or comma-separated text (.csv)",
        ) from None


def controls_of(table: pd.DataFrame, controls: str, where: str) -> pd.Series[bool]:
    """Which rows are controls, by `column=value`."""
    column, _, value = (part.strip() for part in controls.partition("="))
    _need(table, column, where)
    found = table[column] == value
    if not found.any():
        raise UserError(
            where="analysis.profiles.controls",
            found=f"no well has '{value}' in column {column}",
            do=did_you_mean(value, sorted(set(table[column]))),
        )
    return found


def _need(table: pd.DataFrame, column: str, where: str) -> None:
    if column not in table:
        raise UserError(
            where=where,
            found=f"it has no column '{column}', only {', '.join(map(str, table.columns))}",
            do=did_you_mean(column, list(table.columns)),
        )
