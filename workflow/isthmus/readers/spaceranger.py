"""Output folders of Space Ranger (Visium): counts, spot positions, H&E picture.

Layouts, by https://www.10xgenomics.com/support/software/space-ranger/latest/analysis/outputs/spatial-outputs:
* counts: `filtered_feature_bc_matrix` (folder or .h5), else `raw_feature_bc_matrix`; see `ten_x`;
* positions: `spatial/tissue_positions_list.csv` (before 2.0, no header), `spatial/tissue_positions.csv` (header):
  barcode, in_tissue, array_row, array_col, pxl_row_in_fullres, pxl_col_in_fullres;
* `spatial/scalefactors_json.json`: scales of the pictures, and `spot_diameter_fullres`, the pixels of a theoretical
  spot of 65 um, which tells how many micrometres a pixel of the full image has.

Coordinates: micrometres of the full image. Positions name a pixel, whose centre is meant: x = (column + 0.5) x size.
Tested on two real folders (the old layout, plain MTX); the new layout and HDF5 on files made by the description.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from isthmus.config.samples import Sample
from isthmus.counts.matrix import GENE_EXPRESSION, CountMatrix
from isthmus.counts.ten_x import read_ten_x
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.description import ImageDescription
from isthmus.image.open import open_image
from isthmus.image.source import ImagePart, SampleParts, SpotsPart, SpotTable, all_tested
from isthmus.image.stains import with_stains
from isthmus.readers.label_images import labels_of
from isthmus.readers.signs import SPACERANGER_SCALES

COUNTS = (
    "filtered_feature_bc_matrix",
    "filtered_feature_bc_matrix.h5",
    "raw_feature_bc_matrix",
    "raw_feature_bc_matrix.h5",
)
POSITIONS = ("spatial/tissue_positions.csv", "spatial/tissue_positions_list.csv")
PICTURES = {
    "tissue_hires_image.png": "tissue_hires_scalef",
    "tissue_lowres_image.png": "tissue_lowres_scalef",
}
COLUMNS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")

SPOT_UM = 65.0
"""Diameter of the theoretical spot that `spot_diameter_fullres` measures in pixels."""

_RESOLVED_UM = 1.0
"""Nuclei cannot be told apart in larger pixels."""
_COPY = "copy it again from its source"


def read_spaceranger(sample: Sample) -> SampleParts:
    """Read the folder of column `counts`; column `image` names the full image, else the folder's picture is used."""
    folder = sample.counts or sample.image
    if folder is None or not folder.is_dir():
        raise UserError(
            where=sample.where,
            found="column 'counts' names no folder",
            do="name the folder outs of Space Ranger",
        )
    where = f"{sample.where}, Space Ranger folder '{folder}'"
    if (folder / "binned_outputs").is_dir():
        do = "give the counts of its cells as h5ad to use case single_cell"
        raise UserError(where=where, found="it is of Visium HD, whose bins are not read yet", do=do)
    scales = _scales(folder, where)
    um_per_px = SPOT_UM / scales["spot_diameter_fullres"]
    image, notes = _image(sample, folder, scales, um_per_px, where)
    counts = _first(folder, COUNTS, where, "matrix of counts")
    positions = _first(folder, POSITIONS, where, "table of positions")
    read = partial(_table, counts, positions, um_per_px, where)
    table = read()
    placed = len(table.names)
    matrix = read_ten_x(counts, where=where)
    lost = len(matrix.barcodes) - placed
    notes += _left_out(matrix)
    if lost:
        notes.append(f"{lost} of {placed + lost} barcodes with counts have no position; they are left out")
    labels = labels_of(sample, image)
    return SampleParts(
        reader="spaceranger",
        image=image,
        # Two real folders had the old layout, and counts as plain text.
        tested_on_real_files=(counts / "matrix.mtx").is_file()
        and positions == folder / POSITIONS[1]
        and all_tested(image, labels),
        labels=labels,
        spots=SpotsPart(read, SPOT_UM, _files(counts, positions, folder / SPACERANGER_SCALES)),
        notes=tuple(notes),
    )


def _left_out(matrix: CountMatrix) -> list[str]:
    """A note where the matrix counts more than genes, such as antibodies."""
    types = matrix.feature_types[matrix.feature_types != GENE_EXPRESSION]
    if not types.size:
        return []
    names = ", ".join(sorted(set(types.tolist())))
    return [f"{types.size} features that are no genes ({names}) are left out"]


def _files(counts: Path, *others: Path) -> tuple[Path, ...]:
    return (counts, *others)


def _first(folder: Path, names: tuple[str, ...], where: str, what: str) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise UserError(where=where, found=f"there is no {what}", do=f"copy one of these: {', '.join(names)}")


def _scales(folder: Path, where: str) -> dict[str, float]:
    try:
        content: Any = json.loads((folder / SPACERANGER_SCALES).read_text())
        scales = {name: float(value) for name, value in content.items() if isinstance(value, int | float)}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            where=where, found=f"{SPACERANGER_SCALES} cannot be read ({error})", do=_COPY
        ) from error
    if scales.get("spot_diameter_fullres", 0) <= 0:
        raise UserError(where=where, found=f"{SPACERANGER_SCALES} has no spot_diameter_fullres", do=_COPY)
    return scales


def _image(
    sample: Sample, folder: Path, scales: dict[str, float], um_per_px: float, where: str
) -> tuple[ImagePart, list[str]]:
    """The full image where the row names one, else the finest picture of the folder, with its stains."""
    notes: list[str] = []
    if sample.image is not None and sample.image != folder:
        image, size_um = open_image(sample.image, where=sample.where), um_per_px
    else:
        name = next((name for name in PICTURES if (folder / "spatial" / name).is_file()), None)
        if name is None:
            found = f"there is no picture in spatial ({', '.join(PICTURES)})"
            raise UserError(where=where, found=found, do="name the full image in column image")
        scale = scales.get(PICTURES[name], 0.0)
        if scale <= 0:
            raise UserError(where=where, found=f"{SPACERANGER_SCALES} has no {PICTURES[name]}", do=_COPY)
        image, size_um = open_image(folder / "spatial" / name, where=sample.where), um_per_px / scale
        notes.append(f"the picture {name} is used, {size_um:.3g} um a pixel")
    if size_um > _RESOLVED_UM:
        notes.append(
            f"pixels of {size_um:.3g} um show no single nuclei: what is found are dark patches; name the full image in"
            " column image"
        )
    affine = Affine(*sample.affine) if sample.affine else Affine.from_size(size_um)
    return stained(image, affine, sample.where), notes


def stained(image: ImageDescription, affine: Affine, where: str) -> ImagePart:
    """A colour image with its stains; an image that is none is an error."""
    if image.shape[:2] != (3, 1) or image.dtype != "uint8":
        found = f"image '{image.files[0]}' has {image.shape[0]} channels of {image.dtype}"
        raise UserError(where=where, found=found, do="give a colour image of 8 bits")
    return with_stains(image.part(affine))


def _table(counts: Path, positions: Path, um_per_px: float, where: str) -> SpotTable:
    """Spots that have both counts and a position, in the order of the counts."""
    matrix = read_ten_x(counts, where=where)
    is_gene = matrix.feature_types == GENE_EXPRESSION
    if not is_gene.any():
        found_text = f"{counts.name} has no feature of type '{GENE_EXPRESSION}'"
        raise UserError(where=where, found=found_text, do="give the counts of genes")
    matrix = matrix.features(is_gene)
    places = read_positions(positions, where).set_index("barcode")
    found = places.index.get_indexer(pd.Index(matrix.barcodes))
    keep = found >= 0
    if not keep.any():
        found_text = f"no barcode of {counts.name} has a position in {positions.name}"
        raise UserError(where=where, found=found_text, do="give files of the same sample")
    own = places.iloc[found[keep]]
    matrix = matrix.rows(keep)
    return SpotTable(
        counts=matrix.counts,
        names=matrix.barcodes,
        genes=matrix.feature_names,
        gene_ids=matrix.feature_ids,
        x_um=(own["pxl_col_in_fullres"].to_numpy(np.float64) + 0.5) * um_per_px,
        y_um=(own["pxl_row_in_fullres"].to_numpy(np.float64) + 0.5) * um_per_px,
        in_tissue=own["in_tissue"].to_numpy() == 1,
        columns={name: own[name].to_numpy(np.int64) for name in ("array_row", "array_col")},
    )


def read_positions(path: Path, where: str) -> pd.DataFrame:
    """Positions of spots, columns COLUMNS; with a header (2.0 and later) or without."""
    try:
        has_header = path.read_text()[: len(COLUMNS[0])] == COLUMNS[0]
        frame = pd.read_csv(path, header=0 if has_header else None)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise UserError(where=where, found=f"{path.name} cannot be read ({error})", do=_COPY) from error
    if not has_header:
        if frame.shape[1] != len(COLUMNS):
            found = f"{path.name} has {frame.shape[1]} columns instead of {len(COLUMNS)}"
            raise UserError(where=where, found=found, do=_COPY)
        frame.columns = list(COLUMNS)
    absent = [name for name in COLUMNS if name not in frame]
    if absent:
        found = f"{path.name} has no column {', '.join(absent)}"
        raise UserError(where=where, found=found, do="give the file as Space Ranger wrote it")
    if not all(
        pd.api.types.is_numeric_dtype(frame[name]) and frame[name].notna().all() for name in COLUMNS[1:]
    ):
        raise UserError(where=where, found=f"{path.name} has positions that are no numbers", do=_COPY)
    return frame
