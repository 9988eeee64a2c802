"""A CosMx export made by hand in several versions: squares of known cells, transcripts of known cells.

The vendor's frame is in pixels with y upwards. The truth is a mosaic (rows downwards) of fields at whole pixels.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

SIZE_UM = 0.120280945
FIELD_PX = (60, 80)
LEFT_TOP = {1: (5000.0, 9000.0), 2: (5080.0, 9000.0), 3: (5000.0, 8940.0), 7: (5200.0, 8930.0)}
"""x of the left edge and y of the upper edge of each field; 1, 2 and 3 touch, 7 lies apart."""
CELLS = {1: (10, 8, 30, 26), 2: (40, 30, 71, 55)}
"""left, top, right, bottom of a field's cells in its pixels, rows downwards; each field's are moved by its number."""
CHANNELS = ("Membrane", "CD45", "DNA")


@dataclass(frozen=True)
class Version:
    """How an export says things.

    positions
        Names of the columns of the file of positions.
    in_mm, from_lower
        Whether positions are in mm, and of the lower edge.
    down
        Whether y_local_px runs downwards.
    flipped
        Whether image files are upside down.
    """

    positions: tuple[str, str, str] = ("fov", "x_global_px", "y_global_px")
    in_mm: bool = False
    from_lower: bool = True
    down: bool = False
    flipped: bool = False
    packed: bool = False


LEGACY = Version()
ATOMX = Version(("FOV", "X_mm", "Y_mm"), in_mm=True, from_lower=False, down=True, packed=True)
LATER = Version(("FOV", "x_global_mm", "y_global_mm"), in_mm=True, from_lower=True, down=True, packed=True)
TURNED = Version(("FOV", "X_mm", "Y_mm"), in_mm=True, from_lower=False, down=True, flipped=True)
VERSIONS = {"legacy": LEGACY, "atomx": ATOMX, "later": LATER, "turned": TURNED}


def field_labels(fov: int) -> npt.NDArray[np.int32]:
    """Labels of a field as it lies in the mosaic."""
    made = np.zeros(FIELD_PX, dtype=np.int32)
    for cell, (left, top, right, bottom) in CELLS.items():
        made[top + fov % 3 : bottom + fov % 3, left + fov : right + fov] = cell
    return made


def place(fov: int) -> tuple[int, int]:
    """Row and column of a field's first pixel in the mosaic."""
    left, top = LEFT_TOP[fov]
    return round(9000.0 - top), round(left - 5000.0)


def mosaic(of: dict[int, npt.NDArray[np.integer]]) -> npt.NDArray[np.int64]:
    """Fields put together."""
    made = np.zeros((130, 280), dtype=np.int64)
    for fov in sorted(of, reverse=True):
        row, column = place(fov)
        made[row : row + FIELD_PX[0], column : column + FIELD_PX[1]] = of[fov]
    return made


def truth() -> npt.NDArray[np.int64]:
    """Labels of the mosaic: field x 1,000,000 + cell."""
    return mosaic(
        {fov: np.where(field_labels(fov) > 0, field_labels(fov) + fov * 1_000_000, 0) for fov in LEFT_TOP}
    )


def field_image(fov: int) -> npt.NDArray[np.uint16]:
    """Channels (c, y, x) of a field as it lies in the mosaic: bright in cells, values of its own."""
    bright = 1000 * fov + 100 * np.arange(3)[:, None, None]
    return np.where(field_labels(fov) > 0, bright, 10 * fov).astype(np.uint16)


def points() -> list[tuple[int, int, float, float, str]]:
    """Field, cell, column and row in the field (rows downwards) and gene, a hair inside and outside of borders."""
    made = []
    for fov in LEFT_TOP:
        for cell, (left, top, right, bottom) in CELLS.items():
            left, right, top, bottom = left + fov, right + fov, top + fov % 3, bottom + fov % 3  # noqa: PLW2901
            row, column = (top + bottom) / 2, (left + right) / 2
            for named, x, y in (
                (cell, left + 0.2, row),
                (0, left - 0.2, row),
                (cell, right - 0.2, row),
                (0, right + 0.2, row),
                (cell, column, top + 0.2),
                (0, column, top - 0.2),
                (cell, column, bottom - 0.2),
                (0, column, bottom + 0.2),
            ):
                made.append((fov, named, x, y, f"Gene{cell}" if named else "NegPrb3"))
    return made


def _write(path: Path, text: str, *, packed: bool) -> None:
    if packed:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


def write_export(folder: Path, version: Version = LEGACY) -> Path:
    """A whole export."""
    (folder / "Morphology2D").mkdir(parents=True)
    (folder / "CellLabels").mkdir()
    height = FIELD_PX[0]
    note = {
        "ChannelOrder": "BGU",
        "Channels": [
            {"ChannelId": i, "BiologicalTarget": t} for i, t in zip("UGB", CHANNELS[::-1], strict=True)
        ],
    }
    lines = [",".join(version.positions)]
    for fov, (left, top) in LEFT_TOP.items():
        turn = slice(None, None, -1 if version.flipped else 1)
        tifffile.imwrite(
            folder / "Morphology2D" / f"20240101_S1_C902_F{fov:05}.TIF",
            field_image(fov)[:, turn],
            photometric="minisblack",
            metadata=None,
            description=json.dumps(note, indent=1) + ",",
        )
        tifffile.imwrite(
            folder / "CellLabels" / f"CellLabels_F{fov:03}.tif", field_labels(fov)[turn].astype(np.uint16)
        )
        y = top - height if version.from_lower else top
        scale = SIZE_UM / 1000 if version.in_mm else 1.0
        lines.append(f"{fov},{left * scale!r},{y * scale!r}")
    _write(folder / "slide_fov_positions_file.csv", "\n".join(lines) + "\n", packed=version.packed)
    rows = ["fov,cell_ID,cell,x_local_px,y_local_px,x_global_px,y_global_px,z,target,CellComp"]
    for fov, cell, x, row, gene in points():
        left, top = LEFT_TOP[fov]
        local = row if version.down else height - row
        rows.append(
            f"{fov},{cell},c_1_{fov}_{cell},{x!r},{local!r},{left + x!r},{top - row!r},2,{gene},Nuclear"
        )
    _write(folder / "slide_tx_file.csv", "\n".join(rows) + "\n", packed=version.packed)
    cells = [f"{fov},{cell},100" for fov in LEFT_TOP for cell in CELLS]
    _write(
        folder / "slide_metadata_file.csv",
        "\n".join(["fov,cell_ID,Area", *cells]) + "\n",
        packed=version.packed,
    )
    return folder
