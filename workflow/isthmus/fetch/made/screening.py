"""A generated plate: 36 wells of nuclei in two channels under three compounds, with what plates suffer from.

In each well two fields of nuclei (DNA) with a reporter of their own level (GFP). One compound kills half of the cells
and swells the nuclei of the others, one doubles the reporter, one does nothing; twelve wells have the solvent alone.
Wells are dealt at random. Light grows from the left to the right of the plate and is weaker in its outer wells, in both
channels; that is what the correction has to take out. Then blur, background and noise.

Files as ImageXpress writes them: `plate_<well>_s<site>_w<wavelength>.TIF` with the XML of MetaSeries, and an HTD file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from isthmus.fetch.made.drawing import Float64, blur, normal, uniform
from isthmus.fetch.made.text import write_table

SEED = 384
ROWS, COLUMNS = "BCDEFG", range(2, 8)
SITES = (1, 2)
SIDE_PX, PITCH_PX, PIXEL_SIZE_UM = 256, 26, 0.65
WAVES = ("DNA", "GFP")
COMPOUNDS = ("DMSO",) * 12 + ("toxin",) * 8 + ("inducer",) * 8 + ("inert",) * 8

# of each compound: share of nuclei left, factor of their radius, factor of the reporter
ACTS = {
    "DMSO": (0.85, 1.0, 1.0),
    "toxin": (0.42, 1.25, 1.0),
    "inducer": (0.85, 1.0, 2.0),
    "inert": (0.85, 1.0, 1.0),
}
LEVEL = (1400.0, 700.0)
BACKGROUND = (150.0, 120.0)
ALONG, EDGE = 0.12, 0.8
"""Light gained from a column to the next, and what is left of it in the outer wells."""

GENES = ("CDKN1A", "GADD45A", "MX1", "ACTB")
# bulk expression of each gene under each compound, log2 counts per million
EXPRESSION = {
    "DMSO": (5.0, 4.2, 2.1, 10.0),
    "toxin": (8.4, 7.0, 2.3, 9.9),
    "inducer": (5.2, 4.1, 6.8, 10.1),
    "inert": (5.1, 4.3, 2.0, 10.0),
}

Wells = list[tuple[int, int, str]]


def make(folder: Path) -> None:
    """Write the plate, plate_map.tsv, bulk.csv and the truth: wells.csv, cells.csv."""
    wells = _wells()
    plate = folder / "plate"
    plate.mkdir(parents=True)
    cells, rows = [], []
    for number, (row, column, compound) in enumerate(wells):
        n_cells = 0
        for site in SITES:
            drawn = _Field(number, site, compound)
            n_cells += len(drawn.nuclei)
            cells += [(_well(row, column), site, *nucleus) for nucleus in drawn.nuclei]
            for wave in range(len(WAVES)):
                path = plate / f"plate_{_well(row, column)}_s{site}_w{wave + 1}.TIF"
                _write(path, drawn.pixels(wave, light(row, column)), _metaseries(row, column, site, wave))
        rows.append((_well(row, column), compound, n_cells, round(light(row, column), 4)))
    (plate / "plate.HTD").write_bytes(_htd().encode("latin-1"))
    text = ["\t".join(("well", "compound"))] + [f"{well}\t{compound}" for well, compound, *_ in rows]
    (folder / "plate_map.tsv").write_text("\n".join(text) + "\n", encoding="utf-8", newline="\n")
    write_table(
        folder / "bulk.csv", ("compound", *GENES), [(name, *values) for name, values in EXPRESSION.items()]
    )
    write_table(folder / "truth" / "wells.csv", ("well", "compound", "cells", "light"), rows)
    write_table(folder / "truth" / "cells.csv", ("well", "site", "x_px", "y_px", "reporter"), cells)


def light(row: int, column: int) -> float:
    """How bright a well is taken: more from column to column, less at the rim of the plate."""
    is_outer = row in (0, len(ROWS) - 1) or column in (0, len(COLUMNS) - 1)
    return (1.0 + ALONG * column) * (EDGE if is_outer else 1.0)


def _wells() -> Wells:
    """(row, column, compound): compounds dealt at random."""
    places = [(row, column) for row in range(len(ROWS)) for column in range(len(COLUMNS))]
    order = np.argsort(uniform(SEED, np.arange(len(places))), kind="stable")
    dealt = {places[place]: COMPOUNDS[n] for n, place in enumerate(order.tolist())}
    return [(*place, dealt[place]) for place in places]


def _well(row: int, column: int) -> str:
    return f"{ROWS[row]}{COLUMNS[column]:02d}"


class _Field:
    """One field: nuclei on a jittered lattice, none cut by the edge.

    nuclei
        (x, y, reporter level) of each.
    """

    def __init__(self, well: int, site: int, compound: str) -> None:
        left, swollen, factor = ACTS[compound]
        self._seed = SEED + 1000 * (2 * well + site)
        n = SIDE_PX // PITCH_PX
        i, j = (axis.reshape(-1) for axis in np.mgrid[:n, :n])
        drawn = [uniform(self._seed + k, i, j) for k in range(6)]
        there = drawn[0] < left
        y = (i + 0.5 + 0.24 * (drawn[1] - 0.5)) * PITCH_PX
        x = (j + 0.5 + 0.24 * (drawn[2] - 0.5)) * PITCH_PX
        self._along = (7.0 + 1.6 * drawn[3]) * swollen
        self._across = (6.2 + 1.4 * drawn[4]) * swollen
        level = (0.7 + 0.6 * drawn[5]) * factor
        self._y, self._x, self._there, self._level = y, x, there, level
        values = zip(x[there].tolist(), y[there].tolist(), level[there].tolist(), strict=True)
        self.nuclei = [tuple(round(value, 3) for value in nucleus) for nucleus in values]

    def pixels(self, wave: int, gain: float) -> npt.NDArray[np.uint16]:
        """Pixels (y, x) of one wavelength."""
        image = np.zeros((SIDE_PX, SIDE_PX))
        rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
        for k in np.flatnonzero(self._there).tolist():
            part = self._around(k)
            depth = ((rows[part] - self._y[k]) / self._across[k]) ** 2 + (
                (columns[part] - self._x[k]) / self._along[k]
            ) ** 2
            brightness = LEVEL[wave] * (1.0 if wave == 0 else self._level[k])
            image[part] = np.maximum(image[part], brightness * np.clip(1.3 - depth, 0.0, 1.0) * (depth < 1))
        seen: Float64 = blur(image, 2) * gain + BACKGROUND[wave]
        noise = normal(self._seed + 50 + wave, rows, columns)
        return np.clip(seen + noise * (6.0 + seen**0.5), 0, 65535).round().astype(np.uint16)

    def _around(self, k: int) -> tuple[slice, slice]:
        y, x = int(self._y[k]), int(self._x[k])
        return slice(max(0, y - 14), y + 15), slice(max(0, x - 14), x + 15)


def _write(path: Path, pixels: npt.NDArray[np.uint16], text: str) -> None:
    with tifffile.TiffWriter(path, bigtiff=False, byteorder="<") as file:
        file.write(pixels, photometric="minisblack", description=text, metadata=None, software="isthmus")


def _metaseries(row: int, column: int, site: int, wave: int) -> str:
    width = SIDE_PX * PIXEL_SIZE_UM
    fields = {
        "pixel-size-x": SIDE_PX,
        "pixel-size-y": SIDE_PX,
        "spatial-calibration-x": PIXEL_SIZE_UM,
        "spatial-calibration-y": PIXEL_SIZE_UM,
        "spatial-calibration-units": "um",
        "image-name": WAVES[wave],
        "stage-position-x": 9000 * COLUMNS[column] + (site - 1) * width,
        "stage-position-y": 9000 * (row + 1),
        "z-position": 100,
        "_IllumSetting_": WAVES[wave],
    }
    props = "\n".join(f'<prop id="{name}" type="string" value="{value}"/>' for name, value in fields.items())
    return f"<MetaData>\n<PlaneInfo>\n{props}\n</PlaneInfo>\n</MetaData>\n"


def _htd() -> str:
    lines = [
        '"HTSInfoFile", Version 1.0',
        '"Description", "generated"',
        '"TimePoints", 1',
        '"ZSeries", FALSE',
    ]
    for number, row in enumerate("ABCDEFGH", start=1):
        chosen = ["TRUE" if row in ROWS and column in COLUMNS else "FALSE" for column in range(1, 13)]
        lines.append(f'"WellsSelection{number}", {", ".join(chosen)}')
    lines.append(f'"NWavelengths", {len(WAVES)}')
    lines += [f'"WaveName{number}", "{name}"' for number, name in enumerate(WAVES, start=1)]
    return "\r\n".join([*lines, '"EndFile"']) + "\r\n"
