"""The sample sheet: one row a sample, every fault told with its file, row, column and value."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from pathlib import Path

from pydantic import Field

from isthmus.config.accessions import ARCHIVES, fault_of, split_accessions
from isthmus.config.options import FilePath, Section
from isthmus.config.paths import absolute
from isthmus.config.sheet import Row, Sheet, read_sheet
from isthmus.config.sheet_words import (
    COLUMNS,
    EMPTY,
    METHODS,
    ORIGINS,
    PATHS,
    READERS,
    RESERVED,
    SIZES,
    TAKEN,
    TAKEN_BEGINNING,
    TEXTS,
)
from isthmus.errors import UserError, did_you_mean, raise_all

SixNumbers = tuple[float, float, float, float, float, float]

# how like a known column another one must be to be taken for a slip of the pen
ALIKE = 0.81


class Sample(Section):
    """One row of the sample sheet, with absolute paths.

    `affine` holds a, b, c, d, e, f of x_um = a column + b row + c, y_um = d column + e row + f. `extra` holds
    the columns that Isthmus gives no meaning to; `where` names the row in errors. `segmentation` is a method that this
    sample has instead of the configuration's. `z`, `columns`, `panel` and `steps_per_unit` are what the configuration
    tells readers (`image.z`, `quantification.columns`, `image.panel`, `image.steps_per_unit`).
    """

    sample: str
    image: FilePath | None = None
    transcripts: FilePath | None = None
    counts: FilePath | None = None
    reads: FilePath | None = None
    labels: FilePath | None = None
    structures: FilePath | None = None
    reader: str | None = None
    acquisition: str | None = None
    segmentation: str | None = None
    pixel_size_um: float | None = None
    z_step_um: float | None = None
    origin_x_um: float | None = None
    origin_y_um: float | None = None
    affine: SixNumbers | None = None
    batch: str | None = None
    condition: str | None = None
    image_accession: str | None = None
    omics_accession: str | None = None
    biosample: str | None = None
    extra: dict[str, str] = Field(default_factory=dict)
    where: str = ""
    z: str | int = "auto"
    columns: dict[str, str] = Field(default_factory=dict)
    panel: FilePath | None = None
    steps_per_unit: float | None = None


def read_samples(path: Path, *, name: str | None = None) -> tuple[Sample, ...]:
    """The samples of a sheet in its order; all faults at once as UserErrors.

    Parameters
    ----------
    path
        Tab-separated text; relative paths in it start from its folder.
    name
        What errors call the sheet; its path by default.
    """
    name = name or str(path)
    sheet = read_sheet(path, name)
    faults = _column_faults(sheet, name)
    raise_all(faults if "sample" not in sheet.columns else [])
    faults.extend(sheet.faults)
    samples: list[dict[str, object]] = []
    first: dict[str, int] = {}
    for row in sheet.rows:
        reading = _RowReader(row, name, path.absolute().parent)
        samples.append(reading.values())
        faults.extend(reading.faults)
        label = row.cells["sample"]
        if label and first.setdefault(label, row.number) != row.number:
            found = f"sample '{label}' stands in row {first[label]} already"
            faults.append(UserError(where=reading.where, found=found, do="give each row a name of its own"))
    raise_all(faults)
    return tuple(Sample.model_validate(values) for values in samples)


def _column_faults(sheet: Sheet, name: str) -> list[UserError]:
    faults = []
    absent = [column for column in COLUMNS if column not in sheet.columns]
    for column in sheet.columns:
        if column in TAKEN or column.startswith(TAKEN_BEGINNING):
            found = f"column '{column}' is the name of a column of the tables of cells"
            faults.append(UserError(where=f"{name}, header", found=found, do="give it another name"))
            continue
        close = get_close_matches(column.lower().replace(" ", "_"), absent, n=1, cutoff=ALIKE)
        if column not in COLUMNS and close:
            do = f"did you mean '{close[0]}'? A column of your own needs a name less like it"
            faults.append(UserError(where=f"{name}, header", found=f"unknown column '{column}'", do=do))
    if "sample" in absent and not any("did you mean 'sample'?" in fault.do for fault in faults):
        found = f"no column 'sample', only {', '.join(sheet.columns)}"
        faults.append(UserError(where=f"{name}, header", found=found, do="add it: one name a row"))
    return faults


def _is_in_file(path: Path) -> bool:
    """Whether a path goes on inside a file, as that of a data set in an HDF5 file does."""
    nearest = next((parent for parent in path.parents if parent.exists()), None)
    return nearest is not None and nearest.is_file()


class _RowReader:
    """Reads the cells of one row and gathers what is wrong with them."""

    def __init__(self, row: Row, name: str, folder: Path) -> None:
        self.row = row
        self.folder = folder
        self.where = f"{name}, row {row.number} (sample {row.cells['sample'] or '?'})"
        self.faults: list[UserError] = []

    def values(self) -> dict[str, object]:
        """Fields of the sample; they make one only when there are no faults."""
        values: dict[str, object] = {
            "sample": self._name(),
            "reader": self._one_of("reader", READERS),
            "segmentation": self._one_of("segmentation", METHODS),
            "acquisition": self._cell("acquisition"),
            "affine": self._affine(),
            "extra": {column: cell for column, cell in self.row.cells.items() if column not in COLUMNS},
            "where": self.where,
        }
        values |= {column: self._path(column) for column in PATHS}
        values |= {column: self._number(column, positive=True) for column in SIZES}
        values |= {column: self._number(column) for column in ORIGINS}
        values |= {column: self._cell(column) for column in TEXTS}
        if not any(self._cell(column) for column in ("image", "transcripts", "counts", "reads")):
            self._fault("neither image nor transcripts nor counts nor reads", "give at least one of them")
        self._check_accessions()
        self._one_geometry()
        return values

    def _cell(self, column: str) -> str | None:
        cell = self.row.cells.get(column, "")
        return None if cell in EMPTY else cell

    def _fault(self, found: str, do: str) -> None:
        self.faults.append(UserError(where=self.where, found=found, do=do))

    def _name(self) -> str:
        name = self.row.cells["sample"]
        if not name:
            self._fault("no name in the column 'sample'", "name the sample")
        elif name.lower() in RESERVED:
            self._fault(f"sample '{name}' has the name of a results folder", "choose another name")
        elif name in EMPTY:
            self._fault(f"sample '{name}' is what an empty cell is called", "choose another name")
        elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name):
            do = "use letters, digits, '_', '-' and '.', beginning with a letter or digit, 100 at most"
            self._fault(f"sample '{name}' cannot name a folder", do)
        return name

    def _path(self, column: str) -> Path | None:
        cell = self._cell(column)
        if cell is None:
            return None
        path = absolute(cell, self.folder)
        if column == "reads" and any(letter in path.name for letter in "*?[") and path.parent.is_dir():
            return path
        if not path.exists() and not _is_in_file(path):
            nearest = next((parent for parent in path.parents if parent.exists()), path)
            do = "correct the path" if nearest == path.parent else f"there is no folder beyond {nearest}"
            self._fault(f"{column} '{cell}' does not exist (looked for {path})", do)
        return path

    def _one_of(self, column: str, known: tuple[str, ...]) -> str | None:
        word = self._cell(column)
        if word is not None and word not in known:
            self._fault(f"unknown {column} '{word}'", did_you_mean(word, known))
        return word

    def _number(self, column: str, *, positive: bool = False) -> float | None:
        cell = self._cell(column)
        if cell is None:
            return None
        number = _as_number(cell)
        if number is None or (positive and number <= 0):
            kind = "a number above 0" if positive else "a number"
            self._fault(f"{column} '{cell}'", f"give {kind} in micrometres, with a point for decimals")
        return number

    def _affine(self) -> SixNumbers | None:
        cell = self._cell("affine")
        if cell is None:
            return None
        numbers = [_as_number(word) for word in re.split(r"[\s,]+", cell.strip("[]() "))]
        given = [number for number in numbers if number is not None]
        if len(given) != 6 or len(numbers) != 6:
            self._fault(
                f"affine '{cell}'", "give six numbers a b c d e f: x_um = a column + b row + c, y_um likewise"
            )
            return None
        a, b, c, d, e, f = given
        if math.isclose(a * e, b * d, rel_tol=1e-9):
            self._fault(f"affine '{cell}' maps the image onto a line", "a e must differ from b d")
        return (a, b, c, d, e, f)

    def _check_accessions(self) -> None:
        for column in ARCHIVES:
            for accession in split_accessions(self._cell(column) or ""):
                fault = fault_of(column, accession)
                if fault:
                    self._fault(*fault)

    def _one_geometry(self) -> None:
        """The affine map already holds pixel size and origin; two statements could disagree."""
        also = [column for column in ("pixel_size_um", *ORIGINS) if self._cell(column)]
        if self._cell("affine") and also:
            self._fault(f"affine together with {', '.join(also)}", "keep the affine or the others")


def _as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
