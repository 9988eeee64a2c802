"""A generated Visium HD section: an H&E picture with known nuclei, and counts in bins of 2 um, in Space Ranger's form.

Pixels are 0.5 um wide. The array is turned against the picture by half a turn and one degree, so that its rows run up
and its columns to the left, and its bins lie on no whole pixels. A bin holds the genes of the kind of nucleus under its
centre, else few of any. The matrix lists its bins in no order, as Space Ranger does.
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
from scipy.sparse import csr_matrix

from isthmus.fetch.made.drawing import Float64, hematoxylin_eosin, uniform
from isthmus.fetch.made.text import write_table

SEED = 20261125
SHAPE = (720, 880)
UM_PER_PX = 0.5
PITCH_PX, RADIUS_PX = 30, 8
GENES = tuple(f"{kind}{n}" for kind in ("TUM", "STR", "ALL") for n in range(8))
KINDS = ("stroma", "tumour")
BINS = (172, 212)
"""Rows and columns of the array."""

_ROW_STEP, _COLUMN_STEP = (-3.99939, -0.0698), (0.0698, -3.99939)
"""Pixels (down, right) from a bin to the next row and to the next column: 4, turned by 181 degrees."""
_FIRST = (700.3, 868.9)
_STRIDE = 10_007
"""A prime that divides no number of bins: their order in the matrix."""
Int64 = npt.NDArray[np.int64]


def make(folder: Path) -> None:
    """Write image.tif, outs, and the truth: labels.tif, nuclei.csv and counts.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    centres, kinds, labels = _nuclei()
    noise: Float64 = uniform(SEED + 5, *np.ogrid[: SHAPE[0], : SHAPE[1]]) - 0.5
    picture = hematoxylin_eosin((labels > 0).astype(np.float64), 0.35 + 0.1 * noise, noise)
    _write_tiff(folder / "image.tif", picture, "rgb")
    (folder / "truth").mkdir()
    _write_tiff(folder / "truth/labels.tif", labels, "minisblack")
    y, x = bin_centres()
    below = labels[y.astype(np.int64), x.astype(np.int64)]
    counts = _counts(below, kinds)
    _write_outs(folder / "outs", y, x, counts)
    rows = [(k + 1, (c + 0.5) * UM_PER_PX, (r + 0.5) * UM_PER_PX, KINDS[kinds[k]]) for k, (r, c) in centres]
    write_table(folder / "truth/nuclei.csv", ("instance_id", "x_um", "y_um", "kind"), rows)
    of_nucleus = np.zeros((len(kinds) + 1, len(GENES)), dtype=np.int64)
    np.add.at(of_nucleus, below.reshape(-1), counts)
    numbered = [(k, *values) for k, values in enumerate(of_nucleus.tolist())]
    write_table(folder / "truth/counts.csv", ("instance_id", *GENES), numbered[1:])


def bin_centres() -> tuple[Float64, Float64]:
    """Places (down, right) of the bins by array row and column, in pixels from the picture's edge."""
    row, column = np.ogrid[: BINS[0], : BINS[1]]
    y, x = (
        first + row * down + column * right
        for first, down, right in zip(_FIRST, _ROW_STEP, _COLUMN_STEP, strict=True)
    )
    return y, x


def _nuclei() -> tuple[list[tuple[int, tuple[int, int]]], Int64, npt.NDArray[np.int32]]:
    """Number and centre (row, column) of each nucleus, its kind, and the label image; ids in the order of the rows."""
    down, right = (length // PITCH_PX for length in SHAPE)
    i, j = (part.reshape(-1) for part in np.mgrid[:down, :right])
    y = (i * PITCH_PX + 11 + 8 * uniform(SEED + 1, i, j)).astype(np.int64)
    x = (j * PITCH_PX + 11 + 8 * uniform(SEED + 2, i, j)).astype(np.int64)
    kinds = ((y - 330) ** 2 + (x - 520) ** 2 < 260**2).astype(np.int64)
    kept = uniform(SEED + 3, i, j) < np.array([0.5, 0.9])[kinds]
    y, x, kinds = y[kept], x[kept], kinds[kept]
    labels = np.zeros(SHAPE, dtype=np.int32)
    around = np.arange(-RADIUS_PX, RADIUS_PX + 1)
    disc = around[:, None] ** 2 + around[None] ** 2 <= RADIUS_PX * RADIUS_PX
    centres = list(enumerate(zip(y.tolist(), x.tolist(), strict=True)))
    for k, (row, column) in centres:
        labels[row - RADIUS_PX :, column - RADIUS_PX :][: len(disc), : len(disc)][disc] = k + 1
    return centres, kinds, labels


def _counts(below: npt.NDArray[np.int32], kinds: Int64) -> Int64:
    """Bins x genes; below is the nucleus under each bin, 0 for none."""
    kind = np.concatenate([[0], kinds + 1])[below].reshape(-1)
    name = np.array([gene[:3] for gene in GENES])
    rate = np.full((3, len(GENES)), 0.004)
    rate[1] = np.where(name == "STR", 0.5, np.where(name == "ALL", 0.2, 0.01))
    rate[2] = np.where(name == "TUM", 0.5, np.where(name == "ALL", 0.2, 0.01))
    spot, gene = np.ogrid[: below.size, : len(GENES)]
    level = rate[kind] * (0.5 + 3.0 * uniform(SEED + 6, spot, gene))
    counts: Int64 = np.floor(level + uniform(SEED + 7, spot, gene)).astype(np.int64)
    return counts


def _write_outs(folder: Path, y: Float64, x: Float64, counts: Int64) -> None:
    square = folder / "binned_outputs/square_002um"
    (square / "spatial").mkdir(parents=True)
    row, column = (part.reshape(-1) for part in np.mgrid[: BINS[0], : BINS[1]])
    names = [f"s_002um_{r:05}_{c:05}-1" for r, c in zip(row.tolist(), column.tolist(), strict=True)]
    # a position names the centre of a pixel by its number
    places = {
        "barcode": pa.array(names),
        "in_tissue": pa.array(np.ones(row.size, np.int64)),
        "array_row": pa.array(row),
        "array_col": pa.array(column),
        "pxl_row_in_fullres": pa.array(y.reshape(-1) - 0.5),
        "pxl_col_in_fullres": pa.array(x.reshape(-1) - 0.5),
    }
    pq.write_table(pa.table(places), square / "spatial/tissue_positions.parquet")
    scales = {
        "spot_diameter_fullres": 2.0 / UM_PER_PX,
        "bin_size_um": 2.0,
        "microns_per_pixel": UM_PER_PX,
        "tissue_hires_scalef": 1.0,
        "tissue_lowres_scalef": 0.3,
    }
    text = json.dumps(scales) + "\n"
    (square / "spatial/scalefactors_json.json").write_text(text, encoding="utf-8")
    order = np.arange(row.size) * _STRIDE % row.size
    order = order[counts[order].any(axis=1)]
    _write_matrix(
        square / "filtered_feature_bc_matrix.h5", csr_matrix(counts[order]), [names[k] for k in order]
    )


def _write_matrix(path: Path, counts: csr_matrix, barcodes: list[str]) -> None:
    """Version 2 of the layout: genes x bins by columns, which is bins x genes by rows."""
    with h5py.File(path, "w") as file:
        file.attrs["version"] = 2
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, dtype="S21")
        group["data"] = counts.data.astype(np.int32)
        group["indices"] = counts.indices.astype(np.int64)
        group["indptr"] = counts.indptr.astype(np.int64)
        group["shape"] = np.array([len(GENES), len(barcodes)], dtype=np.int32)
        features = group.create_group("features")
        features["id"] = np.array([f"GENE{k:05}" for k in range(len(GENES))], dtype="S9")
        features["name"] = np.array(GENES, dtype="S8")
        features["feature_type"] = np.array(["Gene Expression"] * len(GENES), dtype="S15")
        features["genome"] = np.array(["made"] * len(GENES), dtype="S4")


def _write_tiff(path: Path, pixels: npt.NDArray[np.generic], photometric: str) -> None:
    tifffile.imwrite(
        path, pixels, photometric=photometric, tile=(256, 256), metadata=None, software="isthmus"
    )
