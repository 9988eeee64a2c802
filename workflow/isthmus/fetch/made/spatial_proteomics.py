"""A generated slide of spatial proteomics: cells of known outlines and types, with what slides suffer from.

Tissue: nests of tumour in stroma, an aggregate of B cells among T cells, macrophages everywhere. Nuclei are ellipses
of a jittered lattice, cells what lies within reach of a nucleus and nearest to it. A marker lies in the nucleus, in the
cytoplasm or at the membrane, with a level of its own in every cell. Then come light from neighbouring channels
(`CROSSTALK`), the microscope's blur (which carries light across cell borders), an uneven background and noise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.fetch.made.drawing import Float64, blur, normal, smooth_field, uniform
from isthmus.fetch.made.ome_tiff import write_ome_tiff
from isthmus.fetch.made.text import write_table

SEED = 20261123
SHAPE = (768, 768)
PIXEL_SIZE_UM = 0.5
PITCH_PX = 18
"""Edge of a lattice square; each holds at most one cell."""
CELL_REACH = 2.7
"""Depth (square of the distance in semi-axes) up to which pixels belong to a cell; its nucleus has depths below 1."""

TYPES = ("tumour", "stroma", "B cell", "helper T cell", "cytotoxic T cell", "macrophage")
Int32 = npt.NDArray[np.int32]

# marker: role, where it lies, level in each type (of TYPES), background
MARKERS: dict[str, tuple[str, str, tuple[int, ...], int]] = {
    "DAPI": ("nuclear", "nucleus", (900, 700, 1100, 1050, 1050, 850), 60),
    "HistoneH3": ("nuclear", "nucleus", (800, 500, 700, 700, 700, 600), 80),
    "NaKATPase": ("membrane", "membrane", (1200, 500, 700, 700, 700, 800), 90),
    "PanCK": ("lineage", "cytoplasm", (1500, 0, 0, 0, 0, 0), 110),
    "Vimentin": ("lineage", "cytoplasm", (0, 1100, 150, 200, 200, 350), 140),
    "CD45": ("lineage", "membrane", (0, 0, 1000, 1200, 1200, 800), 100),
    "CD20": ("lineage", "membrane", (0, 0, 1400, 0, 0, 0), 100),
    "CD3": ("lineage", "membrane", (0, 0, 0, 1300, 1300, 0), 120),
    "CD4": ("lineage", "membrane", (0, 0, 0, 1000, 0, 120), 130),
    "CD8": ("lineage", "membrane", (0, 0, 0, 0, 1200, 0), 120),
    "CD68": ("lineage", "cytoplasm", (0, 0, 0, 0, 0, 1100), 150),
    "Ki67": ("state", "nucleus", (700, 0, 0, 0, 0, 0), 90),
    "Blank": ("ignore", "nucleus", (0, 0, 0, 0, 0, 0), 100),
}
DIVIDING = 0.3
"""Share of tumour cells with Ki67."""

CROSSTALK = {("CD45", "CD20"): 0.05, ("CD3", "CD4"): 0.08, ("PanCK", "Vimentin"): 0.04}
"""Share of the light of the first marker that shows in the channel of the second."""

GATES = (
    ("tumour", "PanCK", "CD45"),
    ("stroma", "Vimentin", "CD45 PanCK"),
    ("B cell", "CD45 CD20", "CD3 PanCK"),
    ("helper T cell", "CD45 CD3 CD4", "CD8 CD20"),
    ("cytotoxic T cell", "CD45 CD3 CD8", "CD4 CD20"),
    ("macrophage", "CD68", "CD3 CD20"),
)
"""Cell type, markers that it has, markers that it lacks."""

NEAR = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1))


def make(folder: Path) -> None:
    """Write slide.ome.tif, panel.csv, gates.csv and the truth: cells.tif, nuclei.tif, cells.csv, crosstalk.csv."""
    nuclei, cells = _outlines()
    numbers = np.unique(cells[cells > 0])
    types = _types(cells, numbers)
    write_ome_tiff(
        folder / "slide.ome.tif",
        _pixels(nuclei, cells, numbers, types),
        channels=tuple(MARKERS),
        pixel_size_um=PIXEL_SIZE_UM,
    )
    for name, labels in (("nuclei", nuclei), ("cells", cells)):
        write_ome_tiff(
            folder / "truth" / f"{name}.ome.tif",
            labels.astype(np.uint16)[np.newaxis],
            channels=(name,),
            pixel_size_um=PIXEL_SIZE_UM,
        )
    _write_tables(folder, cells, numbers, types)


def _write_tables(folder: Path, cells: Int32, numbers: Int32, types: npt.NDArray[np.int64]) -> None:
    panel = [(marker, marker, entry[0]) for marker, entry in MARKERS.items()]
    write_table(folder / "panel.csv", ("channel", "marker", "role"), panel)
    write_table(folder / "gates.csv", ("cell_type", "positive", "negative"), GATES)
    rows = []
    for number, kind in zip(numbers.tolist(), types.tolist(), strict=True):
        y, x = np.nonzero(cells == number)
        centre = [round((int(v.sum()) / v.size + 0.5) * PIXEL_SIZE_UM, 3) for v in (x, y)]
        rows.append((number, TYPES[kind], *centre, y.size, int(_dividing(number) and kind == 0)))
    header = ("cell", "cell_type", "x_um", "y_um", "pixels", "dividing")
    write_table(folder / "truth" / "cells.csv", header, rows)
    shares = [(*pair, share) for pair, share in CROSSTALK.items()]
    write_table(folder / "truth" / "crosstalk.csv", ("from", "into", "share"), shares)


def _outlines() -> tuple[Int32, Int32]:
    """Label images (y, x) of nuclei and cells, with the same numbers from 1 by lattice square."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    best = np.full(SHAPE, CELL_REACH)
    owner = np.zeros(SHAPE, dtype=np.int64)
    for step_i, step_j in NEAR:
        i, j = rows // PITCH_PX + step_i, columns // PITCH_PX + step_j
        depth = _depth(i, j, rows, columns)
        nearer = (depth < best) & _filled(i, j)
        best[nearer], owner[nearer] = depth[nearer], (i * 4096 + j + 1)[nearer]
    names, place = np.unique(owner, return_inverse=True)
    cells = place.reshape(SHAPE).astype(np.int32) + (0 if names[0] == 0 else 1)
    return np.where(best < 1, cells, 0).astype(np.int32), cells


def _filled(i: npt.NDArray[np.int64], j: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which squares hold a cell; none beyond the image."""
    inside = (i >= 0) & (j >= 0) & (i < SHAPE[0] // PITCH_PX) & (j < SHAPE[1] // PITCH_PX)
    filled: npt.NDArray[np.bool_] = inside & (uniform(SEED + 1, i, j) < 0.88)
    return filled


def _depth(
    i: npt.NDArray[np.int64],
    j: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
) -> Float64:
    """0 at the centre of the nucleus of lattice square (i, j), 1 on its outline."""
    drawn = [uniform(SEED + 10 + k, i, j) for k in range(5)]
    y = rows - (i + 0.2 + 0.6 * drawn[0]) * PITCH_PX
    x = columns - (j + 0.2 + 0.6 * drawn[1]) * PITCH_PX
    # a turn by tangents of the half angle, which needs no sine
    half = 2 * drawn[2] - 1
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    along, across = (
        (y * cosine + x * sine) / (5.5 + 3 * drawn[3]),
        (x * cosine - y * sine) / (5 + 2 * drawn[4]),
    )
    depth: Float64 = along * along + across * across
    return depth


def _types(cells: Int32, numbers: Int32) -> npt.NDArray[np.int64]:
    """Type of each cell, by where it lies: nests of tumour, an aggregate of B cells, stroma and T cells between."""
    nest = smooth_field(SEED + 30, SHAPE, 220)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    aggregate = ((y - 540) ** 2 + (x - 230) ** 2) < 130**2
    where = [np.nonzero(cells == number) for number in numbers.tolist()]
    middle = [(int(y.sum()) // y.size, int(x.sum()) // x.size) for y, x in where]
    draw = uniform(SEED + 31, numbers)
    shares = {  # of TYPES, in tumour nests, in the aggregate, elsewhere
        "nest": (0.85, 0.03, 0.0, 0.02, 0.06, 0.04),
        "aggregate": (0.0, 0.05, 0.65, 0.18, 0.07, 0.05),
        "between": (0.02, 0.45, 0.06, 0.18, 0.15, 0.14),
    }
    made = []
    for (row, column), chance in zip(middle, draw.tolist(), strict=True):
        kind = "aggregate" if aggregate[row, column] else "nest" if nest[row, column] > 0.47 else "between"
        steps = np.cumsum(shares[kind])
        made.append(min(int(np.searchsorted(steps, chance, side="right")), len(TYPES) - 1))
    return np.array(made, dtype=np.int64)


def _dividing(number: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    dividing: npt.NDArray[np.bool_] = uniform(SEED + 32, number) < DIVIDING
    return dividing


def _pixels(
    nuclei: Int32, cells: Int32, numbers: Int32, types: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint16]:
    """The slide (c, y, x)."""
    inside = {"nucleus": nuclei > 0, "membrane": _membranes(cells)}
    inside["cytoplasm"] = (cells > 0) & ~inside["nucleus"]
    light: dict[str, Float64] = {}
    for place, (marker, (_, where, levels, _)) in enumerate(MARKERS.items()):
        level = np.array(levels, dtype=np.float64)[types]
        # even draws of both halves make levels from 0.5 to 1.5 times the type's
        level = level * (
            0.5 + 0.5 * (uniform(SEED + 40, numbers, place) + uniform(SEED + 41, numbers, place))
        )
        if marker == "Ki67":
            level = level * _dividing(numbers)
        of_cell = np.zeros(int(numbers.max()) + 1)
        of_cell[numbers] = level
        grain = 0.8 + 0.4 * smooth_field(SEED + 50 + place, SHAPE, 5)
        light[marker] = blur(of_cell[cells] * inside[where] * grain, times=1)
    channels = []
    for place, (marker, (*_, background)) in enumerate(MARKERS.items()):
        total = light[marker].copy()
        for (giver, taker), share in CROSSTALK.items():
            if taker == marker:
                total += share * light[giver]
        total += background * (0.7 + 0.6 * smooth_field(SEED + 80 + place, SHAPE, 256))
        noise = normal(SEED + 90 + place, *np.ogrid[: SHAPE[0], : SHAPE[1]])
        total += noise * np.sqrt(9.0 * total + 100.0) * 0.5
        channels.append(np.clip(np.floor(total + 0.5), 0, 65535).astype(np.uint16))
    return np.stack(channels)


def _membranes(cells: Int32) -> npt.NDArray[np.bool_]:
    """Pixels of cells within two pixels of another cell or of none."""
    wide = np.pad(cells, 2)
    edge = np.zeros(cells.shape, dtype=bool)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            moved = wide[2 + dy : 2 + dy + cells.shape[0], 2 + dx : 2 + dx + cells.shape[1]]
            edge |= moved != cells
    return edge & (cells > 0)
