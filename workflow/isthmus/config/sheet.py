"""A table in a text file: tab-separated cells with the line and the column each stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import UserError


@dataclass(frozen=True)
class Row:
    """One line of the table: its number in the file, counted from 1, and its cells by column."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """The columns in their order, the rows, and what is wrong with the file as a table."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    faults: tuple[UserError, ...]


def read_sheet(path: Path, name: str) -> Sheet:
    """Read a tab-separated table with a header; comment lines (#) and empty lines are skipped.

    Raises UserError where the file is no such table at all; rows with too many or too few cells are faults of
    the sheet.
    """
    lines = [
        (number, line)
        for number, line in enumerate(_text(path, name).split("\n"), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise UserError(where=name, found="the sheet is empty", do="begin with a line that names the columns")
    if len(lines) == 1:
        raise UserError(where=name, found="a header without rows", do="add a row for each sample")
    columns = _columns(lines[0][1], f"{name}, row {lines[0][0]}")
    rows: list[Row] = []
    faults: list[UserError] = []
    for number, line in lines[1:]:
        cells = _cells(line)
        while len(cells) > len(columns) and not cells[-1]:
            cells.pop()
        if len(cells) == len(columns):
            rows.append(Row(number, dict(zip(columns, cells, strict=True))))
        else:
            found = f"{_number_of(cells, 'cell')} under {_number_of(columns, 'column')}"
            do = "separate cells by one tab each; an empty cell needs its tab too"
            faults.append(UserError(where=f"{name}, row {number} ({cells[0]})", found=found, do=do))
    return Sheet(columns, tuple(rows), tuple(faults))


def _text(path: Path, name: str) -> str:
    try:
        # universal newlines: files from Windows read the same
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(where=name, found="no such file", do="check the option `samples`") from None
    except UnicodeDecodeError:
        do = "save it as tab-separated text in UTF-8"
        raise UserError(where=name, found="not a text file in UTF-8", do=do) from None
    except OSError as error:
        raise UserError(where=name, found=f"cannot be read ({error.strerror})") from None


def _columns(header: str, where: str) -> tuple[str, ...]:
    if "\t" not in header:
        for separator, word in ((",", "commas"), (";", "semicolons"), (" ", "spaces")):
            if separator in header.strip():
                raise UserError(where=where, found=f"{word} between columns", do="separate columns by tabs")
    names = _cells(header)
    while names and not names[-1]:
        names.pop()
    for name in names:
        if not name:
            raise UserError(where=where, found="a column without a name", do="name it or remove it")
        if names.count(name) > 1:
            raise UserError(where=where, found=f"the column '{name}' twice", do="keep one of them")
    return tuple(names)


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split("\t")]
    # spreadsheets put quotes around cells that hold quotes or commas
    return [
        cell[1:-1].replace('""', '"').strip() if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell
        for cell in cells
    ]


def _number_of(things: Sequence[str], word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"
