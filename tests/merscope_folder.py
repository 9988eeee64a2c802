"""A MERSCOPE region folder made by hand: squares of known cells, transcripts of known cells, in the vendor's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import tifffile

SCALE = (8.0, 10.0)
"""Pixels a micrometre along x and y, unlike each other so that axes cannot be exchanged."""
SHIFT_PX = (-125.5, 121.25)
SHAPE = (120, 160)
N_PLANES = 3
STAINS = ("DAPI", "PolyT")
EDGES = {614155123100000007: (20, 12, 50, 40), 614155123100000011: (60, 55, 101, 90)}
"""left, top, right, bottom of each cell in pixels, where pixel i covers [i, i + 1)."""


def to_um(column: npt.ArrayLike, row: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Micrometres of continuous pixel coordinates: a whole number of the vendor's matrix is the centre of a pixel."""
    x = (np.asarray(column, dtype=np.float64) - 0.5 - SHIFT_PX[0]) / SCALE[0]
    y = (np.asarray(row, dtype=np.float64) - 0.5 - SHIFT_PX[1]) / SCALE[1]
    return np.stack([x, y], axis=-1)


def truth() -> npt.NDArray[np.int64]:
    """Label image (z, y, x): each cell is a pixel smaller on the right in every further plane."""
    made = np.zeros((N_PLANES, *SHAPE), dtype=np.int64)
    for cell, (left, top, right, bottom) in EDGES.items():
        for z in range(N_PLANES):
            made[z, top:bottom, left : right - z] = cell
    return made


def image(stain: int, z: int) -> npt.NDArray[np.uint16]:
    """A mosaic: bright in cells, with a value of its own for each stain and plane."""
    bright = 1000 * (stain + 1) + 100 * z
    return np.where(truth()[z] > 0, bright, 50 + 10 * stain + z).astype(np.uint16)


def outlines() -> Iterator[tuple[int, int, npt.NDArray[np.float64]]]:
    """Cell, plane and vertices (x, y) in micrometres."""
    for cell, (left, top, right, bottom) in EDGES.items():
        for z in range(N_PLANES):
            end = right - z
            yield cell, z, to_um([left, end, end, left], [top, top, bottom, bottom])


def points() -> list[tuple[int, float, float, int, str]]:
    """Cell, column, row, plane and gene of transcripts, half of them a hair inside a border and half outside."""
    made = []
    for number, (cell, (left, top, right, bottom)) in enumerate(EDGES.items()):
        row, column = (top + bottom) / 2, (left + right) / 2
        for z in range(N_PLANES):
            end = right - z
            for inside, outside in (
                ((left + 0.1, row), (left - 0.1, row)),
                ((end - 0.1, row), (end + 0.1, row)),
                ((column, top + 0.1), (column, top - 0.1)),
                ((column, bottom - 0.1), (column, bottom + 0.1)),
            ):
                made.append((cell, *inside, z, f"Gene{number}"))
                made.append((0, *outside, z, "Gene2"))
    return made


def write_transcripts(path: Path) -> None:
    """detected_transcripts.csv, with the row index that has no name and coordinates of one field."""
    lines = [",barcode_id,global_x,global_y,global_z,x,y,fov,gene,transcript_id,cell_id"]
    for number, (cell, column, row, z, gene) in enumerate(points()):
        x, y = to_um(column, row)
        named = cell or -1
        lines.append(
            f"{number + 40},0,{x!r},{y!r},{float(z)},{column + 900},{row + 900},3,{gene},T{number},{named}"
        )
    path.write_text("\n".join(lines).replace("np.float64(", "").replace(")", "") + "\n")


def write_parquet(path: Path) -> None:
    """Outlines as VPT writes them."""
    rows = list(outlines())
    table = {
        "ID": pa.array(range(len(rows))),
        "EntityID": pa.array([cell for cell, _, _ in rows], pa.int64()),
        "ZIndex": pa.array([z for _, z, _ in rows], pa.int64()),
        "Geometry": pa.array(
            [shapely.to_wkb(shapely.MultiPolygon([shapely.Polygon(xy)])) for *_, xy in rows]
        ),
    }
    pq.write_table(pa.table(table), path)


def write_hdf5(folder: Path, names: dict[int, str] | None = None) -> None:
    """Outlines as the instrument wrote them until 2022, a file a field."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, cell in enumerate(EDGES):
        with h5py.File(folder / f"feature_data_{number}.hdf5", "w") as file:
            for other, z, xy in outlines():
                if other == cell:
                    name = (names or {}).get(cell, str(cell))
                    closed = np.concatenate([xy, xy[:1]])[np.newaxis]
                    file[f"featuredata/{name}/zIndex_{z}/p_0/coordinates"] = closed


def write_region(folder: Path, *, polygons: str = "parquet") -> Path:
    """A whole region folder; polygons are parquet, hdf5 or none."""
    images = folder / "images"
    images.mkdir(parents=True)
    for number, stain in enumerate(STAINS):
        for z in range(N_PLANES):
            tifffile.imwrite(images / f"mosaic_{stain}_z{z}.tif", image(number, z))
    (images / "micron_to_mosaic_pixel_transform.csv").write_text(
        f"{SCALE[0]} 0.0 {SHIFT_PX[0]}\n0.0 {SCALE[1]} {SHIFT_PX[1]}\n0.0 0.0 1.0\n"
    )
    write_transcripts(folder / "detected_transcripts.csv")
    (folder / "cell_metadata.csv").write_text("EntityID,fov\n" + "".join(f"{cell},3\n" for cell in EDGES))
    if polygons == "parquet":
        write_parquet(folder / "cell_boundaries.parquet")
    elif polygons == "hdf5":
        write_hdf5(folder / "cell_boundaries")
    return folder
