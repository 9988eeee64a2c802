"""The panel: which marker each channel of an image shows, and what it is for.

A table (CSV or TSV) with a row a channel. `marker` names it in the tables; `channel` is its name in the image or its
number from 1, and may be left out where the rows are the channels in their order; `role` is one of ROLES. The panels of
steinbock (columns `channel`, `name`, `keep`, `deepcell`) are read as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from isthmus.errors import UserError, did_you_mean, raise_all

Role = Literal["nuclear", "membrane", "cytoplasm", "lineage", "state", "ignore"]
ROLES: tuple[Role, ...] = get_args(Role)

SUM = " + "
"""Between the names of channels in the name of their sum."""
_STEINBOCK = {"1": "nuclear", "2": "membrane"}


@dataclass(frozen=True)
class PanelRow:
    """One channel: its name or number in the image (empty: by order), its marker, what it is for."""

    channel: str
    marker: str
    role: Role


@dataclass(frozen=True)
class Panel:
    """The rows of a panel in their order.

    nuclear         shows nuclei; several are added up to find nuclei in
    membrane        holds growth of cells up; several are added up
    cytoplasm       shows cytoplasm, whose dark gaps hold growth up where there is no membrane channel
    lineage         tells cell types apart
    state           is measured, but tells no types apart
    ignore          stays in the image, and is not measured
    """

    rows: tuple[PanelRow, ...]

    def markers(self, *roles: Role) -> tuple[str, ...]:
        """Markers of these roles, in the order of the panel."""
        return tuple(row.marker for row in self.rows if row.role in roles)

    @property
    def measured(self) -> tuple[str, ...]:
        """Markers of all roles but `ignore`."""
        return tuple(row.marker for row in self.rows if row.role != "ignore")

    @property
    def role_of(self) -> dict[str, Role]:
        """Role by marker."""
        return {row.marker: row.role for row in self.rows}

    @property
    def sums(self) -> tuple[tuple[str, ...], ...]:
        """Markers of the channels that are added up: all nuclear ones, all membrane ones, where there are several."""
        groups = (self.markers("nuclear"), self.markers("membrane"))
        return tuple(group for group in groups if len(group) > 1)

    @property
    def nuclear_channel(self) -> str | None:
        """The channel that shows nuclei, a sum where several do."""
        return sum_name(self.markers("nuclear"))

    @property
    def guide(self) -> tuple[str, Literal["membrane", "cytoplasm"]] | None:
        """The channel that guides the growth of cells, and what it shows."""
        membrane, cytoplasm = self.markers("membrane"), self.markers("cytoplasm")
        if membrane:
            return str(sum_name(membrane)), "membrane"
        return (cytoplasm[0], "cytoplasm") if cytoplasm else None


def sum_name(markers: Sequence[str]) -> str | None:
    """Name of the channel that is the sum of these; None for none."""
    return SUM.join(markers) or None


def read_panel(path: Path, *, where: str | None = None) -> Panel:
    """Read a panel; all faults at once, each with its row.

    Parameters
    ----------
    path
        CSV, or TSV where the header has a tab.
    where
        What errors call the file; its path by default.
    """
    where = where or f"panel '{path}'"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(where=where, found=f"it cannot be read ({error})", do="give a CSV file") from None
    lines = [line for line in text.splitlines() if line.strip(" ,;\t") and not line.startswith("#")]
    if len(lines) < 2:
        raise UserError(where=where, found="no channel", do="write a header and a row a channel")
    delimiter = "\t" if "\t" in lines[0] else ","
    table = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    header = [name.lower() for name in table[0]]
    _check_header(header, where)
    rows: list[PanelRow] = []
    faults: list[UserError] = []
    for number, cells in enumerate(table[1:], start=2):
        values = dict(zip(header, [*cells, *[""] * len(header)], strict=False))
        try:
            rows.append(_row(values, f"{where}, row {number}"))
        except UserError as error:
            faults.append(error)
    faults += _twice([row.marker for row in rows], "marker", where)
    faults += _twice([row.channel for row in rows if row.channel], "channel", where)
    raise_all(faults)
    return Panel(tuple(rows))


def _check_header(header: Sequence[str], where: str) -> None:
    if "marker" not in header and "name" not in header:
        found = f"no column 'marker', only {', '.join(header)}"
        raise UserError(where=where, found=found, do="add it: what each channel shows")
    if "role" not in header and "keep" not in header:
        found = f"no column 'role', only {', '.join(header)}"
        raise UserError(where=where, found=found, do=f"add it: one of {', '.join(ROLES)}")


def _row(values: dict[str, str], where: str) -> PanelRow:
    marker = values.get("marker") or values.get("name") or values.get("channel", "")
    if not marker:
        raise UserError(where=where, found="no marker", do="name what the channel shows")
    if "role" in values:
        role = values["role"].lower()
    else:
        nuclear = values.get("deepcell") or values.get("cellpose") or ""
        role = "ignore" if values.get("keep") == "0" else _STEINBOCK.get(nuclear.split(".")[0], "lineage")
    for known in ROLES:
        if role == known:
            return PanelRow(values.get("channel", ""), marker, known)
    raise UserError(where=where, found=f"role '{role}' of {marker}", do=did_you_mean(role, ROLES))


def _twice(names: Sequence[str], what: str, where: str) -> list[UserError]:
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    do = f"give each row a {what} of its own"
    return [UserError(where=where, found=f"{what} '{name}' stands there twice", do=do) for name in twice]
