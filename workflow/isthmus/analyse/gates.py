"""The marker table: which markers each cell type has and lacks."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import UserError, did_you_mean, raise_all

COLUMNS = ("cell_type", "positive", "negative")


@dataclass(frozen=True)
class Gate:
    """One cell type: markers that it has, markers that it lacks."""

    cell_type: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]

    @property
    def markers(self) -> tuple[str, ...]:
        """All markers of its rules."""
        return self.positive + self.negative


def read_gates(path: Path) -> tuple[Gate, ...]:
    """Read a marker table (CSV, or TSV where the header has a tab); all faults at once, each with its row.

    Markers in a cell are separated by spaces or semicolons.
    """
    where = f"analysis.gating.gates '{path}'"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(where=where, found=f"it cannot be read ({error})", do="give a CSV file") from None
    lines = [line for line in lines if line.strip(" ,;\t") and not line.startswith("#")]
    if len(lines) < 2:
        raise UserError(where=where, found="no cell type", do="write a header and a row a type")
    rows = list(csv.reader(lines, delimiter="\t" if "\t" in lines[0] else ","))
    header = [name.strip().lower() for name in rows[0]]
    for name in COLUMNS:
        if name not in header:
            found = f"no column '{name}', only {', '.join(header)}"
            raise UserError(where=where, found=found, do=f"name the columns {', '.join(COLUMNS)}")
    gates: list[Gate] = []
    faults: list[UserError] = []
    for number, row in enumerate(rows[1:], start=2):
        values = dict(zip(header, [*row, *[""] * len(header)], strict=False))
        gate = Gate(values["cell_type"].strip(), _markers(values["positive"]), _markers(values["negative"]))
        fault = _fault(gate, [other.cell_type for other in gates])
        if fault:
            faults.append(UserError(where=f"{where}, row {number}", found=fault[0], do=fault[1]))
        gates.append(gate)
    raise_all(faults)
    return tuple(gates)


def check_markers(gates: Sequence[Gate], known: Sequence[str], *, where: str) -> None:
    """Raise a UserError for every marker of the rules that was not measured."""
    faults = []
    for marker in dict.fromkeys(marker for gate in gates for marker in gate.markers):
        if marker not in known:
            found = f"marker '{marker}' is not among those measured"
            faults.append(UserError(where=where, found=found, do=did_you_mean(marker, known)))
    raise_all(faults)


def _markers(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cell.replace(";", " ").split()))


def _fault(gate: Gate, before: Sequence[str]) -> tuple[str, str] | None:
    if not gate.cell_type:
        return "no cell type", "name it"
    if gate.cell_type in before:
        return f"cell type '{gate.cell_type}' stands there twice", "give each type one row"
    if gate.cell_type == "unassigned":
        return "'unassigned' is what cells without a type are called", "choose another name"
    if not gate.markers:
        return f"cell type '{gate.cell_type}' has no marker", "name markers that it has or lacks"
    both = set(gate.positive) & set(gate.negative)
    if both:
        return f"'{sorted(both)[0]}' is both positive and negative", "keep one of them"
    return None
