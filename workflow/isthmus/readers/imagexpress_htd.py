"""The HTD file of an ImageXpress plate: what was selected to be taken. Lines of `"Key", value, ...`, not in UTF-8."""

from __future__ import annotations

import csv
import string
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Htd:
    """wells that were selected (`B02`), names of wavelengths by number, and steps of z, where it says so."""

    path: Path
    wells: tuple[str, ...]
    waves: dict[int, str]
    n_steps: int | None


def find_htd(*folders: Path) -> Htd | None:
    """The first HTD file in some folders; None where there is none."""
    for folder in folders:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".htd")
        if found:
            return read_htd(found[0])
    return None


def read_htd(path: Path) -> Htd:
    """Read a file; what it lacks or says in other words is left out."""
    # Its description has bytes that are no UTF-8.
    lines = path.read_text(encoding="latin-1").splitlines()
    rows = {row[0]: row[1:] for row in csv.reader(lines, skipinitialspace=True) if len(row) > 1}
    wells = []
    for number, row in enumerate(_rows(), start=1):
        chosen = rows.get(f"WellsSelection{number}")
        if chosen is None:
            break
        wells += [
            f"{row}{column:02d}" for column, word in enumerate(chosen, start=1) if word.strip() == "TRUE"
        ]
    n_waves = _whole(rows.get("NWavelengths")) or 0
    waves = {n: rows[f"WaveName{n}"][0] for n in range(1, n_waves + 1) if f"WaveName{n}" in rows}
    steps = _whole(rows.get("ZSteps")) if (rows.get("ZSeries") or [""])[0].strip() == "TRUE" else None
    return Htd(path, tuple(wells), waves, steps)


def _rows() -> list[str]:
    """A to Z, AA to AZ: rows of plates of up to 1536 wells."""
    letters = list(string.ascii_uppercase)
    return [*letters, *(f"A{letter}" for letter in letters)]


def _whole(values: list[str] | None) -> int | None:
    try:
        return int(values[0]) if values else None
    except ValueError:
        return None
