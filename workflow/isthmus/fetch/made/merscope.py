"""A generated MERSCOPE region: mosaics of two stains in three planes, transcripts, outlines, an area, and the truth.

The vendor's own outlines are the true ones, so that importing them gives the true counts and segmenting the image
can be held against them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import shapely.geometry
import tifffile

from isthmus.fetch.made.drawing import Float64, uniform
from isthmus.fetch.made.text import write_table
from isthmus.fetch.made.transcript_tissue import (
    NUCLEUS,
    TYPES,
    Molecules,
    Tissue,
    draw_molecules,
    draw_tissue,
)

SEED = 20261124
SHAPE = (1200, 1300)
PITCH_PX = 100
PX_A_UM = 9.259591
CORNER_UM = (4200.0, -1800.0)
"""x and y of the centre of the first pixel."""
N_PLANES = 3
FADE = (0.75, 1.0, 0.85)
FIRST_ID = 614155123100000001


def make(folder: Path) -> None:
    """Write region_0, structures.geojson and truth into a folder."""
    tissue = draw_tissue(SEED, SHAPE, PITCH_PX)
    molecules = draw_molecules(tissue)
    region, images = folder / "region_0", folder / "region_0" / "images"
    images.mkdir(parents=True, exist_ok=True)
    for stain, (name, share, level) in enumerate((("DAPI", NUCLEUS, 1500.0), ("PolyT", 1.0, 700.0))):
        for z in range(N_PLANES):
            pixels = tissue.stain(share, SEED + 1000 * (1 + stain) + 10 * z, level, 120.0, FADE[z])
            with tifffile.TiffWriter(images / f"mosaic_{name}_z{z}.tif", byteorder="<") as file:
                file.write(
                    pixels, photometric="minisblack", tile=(256, 256), metadata=None, software="isthmus"
                )
    shift = [-corner * PX_A_UM for corner in CORNER_UM]
    (images / "micron_to_mosaic_pixel_transform.csv").write_text(
        f"{PX_A_UM} 0.0 {shift[0]!r}\n0.0 {PX_A_UM} {shift[1]!r}\n0.0 0.0 1.0\n", newline="\n"
    )
    _write_transcripts(region, molecules)
    _write_outlines(region, tissue)
    island = _write_island(folder, tissue)
    ids = np.arange(tissue.kind.size) + FIRST_ID
    write_table(region / "cell_metadata.csv", ("EntityID", "fov"), [(cell, 0) for cell in ids.tolist()])
    centres = to_um(tissue.centre)
    points = shapely.points(centres)
    away = shapely.distance(points, shapely.boundary(island)) * np.where(
        shapely.contains(island, points), -1, 1
    )
    rows = [
        (cell, TYPES[kind], round(x, 3), round(y, 3), n, f"{distance:.3f}")
        for cell, kind, (x, y), n, distance in zip(
            ids.tolist(),
            tissue.kind.tolist(),
            centres.tolist(),
            np.bincount(molecules.inside, minlength=ids.size + 1)[1:].tolist(),
            away.tolist(),
            strict=True,
        )
    ]
    header = ("cell", "cell_type", "x_um", "y_um", "molecules", "distance_to_island_um")
    write_table(folder / "truth" / "cells.csv", header, rows)
    held = [(FIRST_ID + cell - 1 if cell else 0) for cell in molecules.inside.tolist()]
    made_by = [(FIRST_ID + cell - 1 if cell else 0) for cell in molecules.cell.tolist()]
    write_table(folder / "truth" / "transcripts.csv", ("inside", "made_by"), zip(held, made_by, strict=True))


def to_um(place_px: Float64) -> Float64:
    """Micrometres of (column, row), where pixel i covers [i, i + 1) and the vendor's whole numbers are centres."""
    um: Float64 = (place_px - 0.5) / PX_A_UM + np.array(CORNER_UM)
    return um


def _write_transcripts(region: Path, molecules: Molecules) -> None:
    number = np.arange(molecules.cell.size)
    plane = np.floor(uniform(SEED + 7, number) * N_PLANES)
    um = to_um(np.column_stack([molecules.column, molecules.row]))
    rows = [
        (k, 0, f"{x:.6f}", f"{y:.6f}", z, 0, gene, FIRST_ID + cell - 1 if cell else -1)
        for k, ((x, y), z, gene, cell) in enumerate(
            zip(um.tolist(), plane.tolist(), molecules.gene, molecules.inside.tolist(), strict=True)
        )
    ]
    header = ("", "barcode_id", "global_x", "global_y", "global_z", "fov", "gene", "cell_id")
    write_table(region / "detected_transcripts.csv", header, rows)


def _write_island(folder: Path, tissue: Tissue) -> shapely.Geometry:
    """The epithelial island as a structure that somebody has drawn, in micrometres as QuPath names classes."""
    island = shapely.Polygon()
    for ring in tissue.island:
        island = island ^ shapely.Polygon(np.round(to_um(ring), 3))
    parts = [shapely.geometry.mapping(part) for part in shapely.get_parts(island)]
    features = [
        {"type": "Feature", "geometry": part, "properties": {"classification": {"name": "Island"}}}
        for part in parts
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (folder / "structures.geojson").write_text(text + "\n", newline="\n")
    return island


def _write_outlines(region: Path, tissue: Tissue) -> None:
    """Every cell in all planes, as the vendor's segmentation of one plane is copied to the others."""
    outlines = to_um(tissue.outlines())
    ids, planes, shapes = [], [], []
    for number, ring in enumerate(outlines):
        for z in range(N_PLANES):
            ids.append(FIRST_ID + number)
            planes.append(z)
            shapes.append(shapely.to_wkb(shapely.MultiPolygon([shapely.Polygon(ring)])))
    table = pa.table(
        {
            "ID": pa.array(range(len(ids))),
            "EntityID": pa.array(ids),
            "ZIndex": pa.array(planes),
            "Geometry": pa.array(shapes),
        }
    )
    pq.write_table(table, region / "cell_boundaries.parquet")
