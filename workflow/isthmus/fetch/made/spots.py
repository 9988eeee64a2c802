"""A generated Visium section: an H&E picture with known nuclei, and counts under spots, in the form of Space Ranger.

Tissue is a disc on glass: a nest of tumour with crowded nuclei, and stroma with few. Colours follow from optical
densities: haematoxylin in nuclei, eosin in tissue, noise. Each region has genes of its own besides common ones; spots
lie 100 um apart in rows that are shifted by half, as on the slide.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from isthmus.fetch.made.drawing import hematoxylin_eosin, uniform
from isthmus.fetch.made.text import write_table

SEED = 20261124
SIZE_PX = 1536
"""Sides of the picture; a pixel is a micrometre."""
PITCH_PX = 14
SPOT_PX = 65.0
GENES = tuple(f"{kind}{n}" for kind in ("TUM", "STR", "ALL") for n in range(12))

_MIDDLE, _TISSUE_PX = 768, 700
_NEST = (700, 900, 330)
Int64 = npt.NDArray[np.int64]


def make(folder: Path) -> None:
    """Write image.tif, outs (counts and positions), and the truth: nuclei.csv and spots.csv."""
    nuclei = _nuclei()
    folder.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        folder / "image.tif",
        _picture(nuclei),
        photometric="rgb",
        tile=(256, 256),
        metadata=None,
        software="isthmus",
    )
    rows, columns, y, x = _spots()
    region = _region(y, x)
    counts = _counts(region, rows, columns)
    _write_outs(folder / "outs", rows, columns, y, x, region, counts)
    write_table(
        folder / "truth/nuclei.csv", ("x_um", "y_um"), [(a + 0.5, b + 0.5) for b, a in nuclei.tolist()]
    )
    inside = [
        int(((nuclei[:, 0] - b) ** 2 + (nuclei[:, 1] - a) ** 2 <= (SPOT_PX / 2) ** 2).sum())
        for b, a in zip(y, x, strict=True)
    ]
    names = ("glass", "stroma", "tumour")
    truth = [
        (_barcode(k), names[kind], n) for k, (kind, n) in enumerate(zip(region.tolist(), inside, strict=True))
    ]
    write_table(folder / "truth/spots.csv", ("barcode", "region", "nuclei"), truth)


def _region(y: Int64, x: Int64) -> Int64:
    """0 on glass, 1 in stroma, 2 in the nest."""
    tissue = (y - _MIDDLE) ** 2 + (x - _MIDDLE) ** 2 < _TISSUE_PX**2
    nest = (y - _NEST[0]) ** 2 + (x - _NEST[1]) ** 2 < _NEST[2] ** 2
    return np.where(nest, 2, np.where(tissue, 1, 0))


def _nuclei() -> Int64:
    """Centres (row, column) of nuclei on a jittered lattice: crowded in the nest, few in stroma."""
    n = SIZE_PX // PITCH_PX
    i, j = (part.reshape(-1) for part in np.mgrid[:n, :n])
    y = (i * PITCH_PX + 4 + 6 * uniform(SEED + 1, i, j)).astype(np.int64)
    x = (j * PITCH_PX + 4 + 6 * uniform(SEED + 2, i, j)).astype(np.int64)
    share = np.array([0.0, 0.2, 0.85])[_region(y, x)]
    kept = uniform(SEED + 3, i, j) < share
    return np.stack([y[kept], x[kept]], axis=1)


def _picture(nuclei: Int64) -> npt.NDArray[np.uint8]:
    """Red, green and blue (y, x, 3)."""
    y, x = np.ogrid[:SIZE_PX, :SIZE_PX]
    tissue = _region(*np.broadcast_arrays(y, x)) > 0
    stained = np.zeros((SIZE_PX, SIZE_PX))
    around = np.arange(-5, 6)
    for row, column in nuclei.tolist():
        radius = 3.2 + 1.2 * float(uniform(SEED + 4, row, column))
        disc = around[:, None] ** 2 + around[None] ** 2 <= radius * radius
        part = (slice(max(0, row - 5), row + 6), slice(max(0, column - 5), column + 6))
        cut = disc[max(0, 5 - row) :, max(0, 5 - column) :][: SIZE_PX - row + 5, : SIZE_PX - column + 5]
        stained[part] = np.maximum(stained[part], 1.0 * cut)
    noise = uniform(SEED + 5, y, x) - 0.5
    eosin = np.where(tissue, 0.35 + 0.1 * noise, 0.02)
    return hematoxylin_eosin(stained, eosin, noise)


def _spots() -> tuple[Int64, Int64, Int64, Int64]:
    """array_row, array_col, and the pixel (row, column) of each spot."""
    places = [
        (r, c, 60 + round(r * 86.6025), 60 + 50 * c)
        for r in range((SIZE_PX - 100) // 87)
        for c in range(r % 2, (SIZE_PX - 100) // 50, 2)
    ]
    made = np.array(places, dtype=np.int64)
    return made[:, 0], made[:, 1], made[:, 2], made[:, 3]


def _counts(region: Int64, rows: Int64, columns: Int64) -> Int64:
    """Spots x genes."""
    kind = np.array([GENES[g][:3] for g in range(len(GENES))])
    rate = np.zeros((3, len(GENES)))
    rate[1] = np.where(kind == "STR", 6.0, np.where(kind == "TUM", 0.4, 3.0))
    rate[2] = np.where(kind == "TUM", 8.0, np.where(kind == "STR", 0.4, 3.0))
    rate[0] = 0.05
    gene = np.arange(len(GENES))[None]
    r, c = rows[:, None], columns[:, None]
    level = rate[region] * (0.4 + 1.2 * uniform(SEED + 6, r, c, gene))
    return np.floor(level + uniform(SEED + 7, r, c, gene)).astype(np.int64)


def _barcode(number: int) -> str:
    letters = "".join("ACGT"[(number >> (2 * k)) & 3] for k in range(7, -1, -1))
    return f"{letters}ACGTACGT-1"


def _write_outs(
    folder: Path, rows: Int64, columns: Int64, y: Int64, x: Int64, region: Int64, counts: Int64
) -> None:
    matrix, spatial = folder / "raw_feature_bc_matrix", folder / "spatial"
    matrix.mkdir(parents=True)
    spatial.mkdir()
    spot, gene = np.nonzero(counts)
    entries = "".join(
        f"{g + 1} {s + 1} {counts[s, g]}\n" for s, g in zip(spot.tolist(), gene.tolist(), strict=True)
    )
    head = f"%%MatrixMarket matrix coordinate integer general\n{len(GENES)} {len(rows)} {len(spot)}\n"
    features = "".join(f"GENE{k:05}\t{name}\tGene Expression\n" for k, name in enumerate(GENES))
    barcodes = [_barcode(k) for k in range(len(rows))]
    for name, text in (
        ("matrix.mtx", head + entries),
        ("features.tsv", features),
        ("barcodes.tsv", "".join(f"{name}\n" for name in barcodes)),
    ):
        (matrix / name).write_text(text, encoding="utf-8", newline="\n")
    header = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
    lines = zip(barcodes, (region > 0).astype(int).tolist(), rows, columns, y, x, strict=True)
    write_table(spatial / "tissue_positions.csv", header, lines)
    scales = {"spot_diameter_fullres": SPOT_PX, "tissue_hires_scalef": 1.0, "tissue_lowres_scalef": 0.3}
    (spatial / "scalefactors_json.json").write_text(json.dumps(scales) + "\n", encoding="utf-8")
