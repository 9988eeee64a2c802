"""A generated CosMx export: three fields of one tissue, two side by side and one apart, and the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile

from isthmus.fetch.made.text import write_table
from isthmus.fetch.made.transcript_tissue import NUCLEUS, TYPES, draw_molecules, draw_tissue

SEED = 20261125
SHAPE = (700, 1400)
FIELD_PX = (700, 700)
PITCH_PX = 88
SIZE_UM = 0.120280945
FIELDS = {1: (0, 0), 2: (0, 700)}
"""Row and column of each field in the tissue."""
APART = (3, 2800, 700)
"""Number, and distance in pixels to the right and below, of a field of a tissue of its own."""
LEFT_TOP = (20_000.0, 80_000.0)
CHANNELS = ("Membrane", "DNA")
HEADER = (
    "fov",
    "cell_ID",
    "cell",
    "x_local_px",
    "y_local_px",
    "x_global_px",
    "y_global_px",
    "z",
    "target",
    "CellComp",
)


def make(folder: Path) -> None:
    """Write export and truth below a folder."""
    export = folder / "export"
    (export / "Morphology2D").mkdir(parents=True, exist_ok=True)
    (export / "CellLabels").mkdir(exist_ok=True)
    transcripts: list[tuple[object, ...]] = []
    truth: list[tuple[object, ...]] = []
    positions: list[tuple[object, ...]] = []
    whole = draw_tissue(SEED, SHAPE, PITCH_PX)
    alone = draw_tissue(SEED + 50_000, FIELD_PX, PITCH_PX)
    for tissue, fields in ((whole, FIELDS), (alone, {APART[0]: (0, 0)})):
        labels = tissue.labels()
        stains = np.stack(
            [
                tissue.stain(1.0, tissue.seed + 1, 800.0, 100.0),
                tissue.stain(NUCLEUS, tissue.seed + 2000, 1500.0, 120.0),
            ]
        )
        molecules = draw_molecules(tissue)
        for fov, (row, column) in fields.items():
            at = (slice(row, row + FIELD_PX[0]), slice(column, column + FIELD_PX[1]))
            local = _local(labels[at])
            _write_field(export, fov, stains[(slice(None), *at)], local)
            left, top = _corner(fov, row, column)
            positions.append((fov, repr(left * SIZE_UM / 1000), repr(top * SIZE_UM / 1000)))
            inside = (molecules.column >= column) & (molecules.column < column + FIELD_PX[1])
            for k in np.flatnonzero(inside).tolist():
                x, y = float(molecules.column[k]) - column, float(molecules.row[k]) - row
                cell = int(local[int(y), int(x)])
                gene = molecules.gene[k].replace("Blank-", "NegPrb")
                transcripts.append(
                    (
                        fov,
                        cell,
                        f"c_1_{fov}_{cell}",
                        *(f"{v:.3f}" for v in (x, y, left + x, top - y)),
                        0,
                        gene,
                        "None",
                    )
                )
            for number in np.unique(labels[at])[1:].tolist():
                middle = local[labels[at] == number][0]
                truth.append((fov, int(middle), TYPES[tissue.kind[number - 1]]))
    write_table(export / "slide_fov_positions_file.csv", ("FOV", "X_mm", "Y_mm"), positions)
    write_table(export / "slide_tx_file.csv", HEADER, transcripts)
    write_table(export / "slide_metadata_file.csv", ("fov", "cell_ID"), [row[:2] for row in truth])
    write_table(folder / "truth" / "cells.csv", ("fov", "cell", "cell_type"), truth)


def _corner(fov: int, row: int, column: int) -> tuple[float, float]:
    """X of the left and y of the upper edge of a field; y grows upwards."""
    right, below = (APART[1], APART[2]) if fov == APART[0] else (column, row)
    return LEFT_TOP[0] + right, LEFT_TOP[1] - below


def _local(labels: np.ndarray) -> np.ndarray:
    """Cells of a field numbered from 1."""
    names, place = np.unique(labels, return_inverse=True)
    return place.reshape(labels.shape) + (0 if names[0] == 0 else 1)


def _write_field(export: Path, fov: int, pixels: np.ndarray, labels: np.ndarray) -> None:
    note = json.dumps(
        {
            "ChannelOrder": "BU",
            "Channels": [
                {"ChannelId": i, "BiologicalTarget": t} for i, t in zip("BU", CHANNELS, strict=True)
            ],
        },
        indent=1,
    )
    path = export / "Morphology2D" / f"20240101_S1_C902_F{fov:05}.TIF"
    with tifffile.TiffWriter(path, byteorder="<") as file:
        for number, plane in enumerate(pixels):
            text = note if number == 0 else None
            file.write(
                plane,
                photometric="minisblack",
                tile=(256, 256),
                metadata=None,
                description=text,
                software="isthmus",
            )
    with tifffile.TiffWriter(export / "CellLabels" / f"CellLabels_F{fov:03}.tif", byteorder="<") as file:
        file.write(labels.astype(np.uint16), photometric="minisblack", metadata=None, software="isthmus")
