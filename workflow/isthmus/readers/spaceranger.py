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

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from isthmus.config.samples import Sample
from isthmus.counts.matrix import COPY, GENE_EXPRESSION
from isthmus.counts.ten_x import read_names, read_ten_x
from isthmus.errors import UserError
from isthmus.image.source import SampleParts, SpotsPart, SpotTable, all_tested
from isthmus.readers.label_images import labels_of
from isthmus.readers.section_image import check_geometry, read_scales, section_image
from isthmus.readers.signs import SPACERANGER_BINS, SPACERANGER_SCALES
from isthmus.readers.visium_hd import POSITIONS as HD_POSITIONS
from isthmus.readers.visium_hd import read_visium_hd

COUNTS = (
    "filtered_feature_bc_matrix",
    "filtered_feature_bc_matrix.h5",
    "raw_feature_bc_matrix",
    "raw_feature_bc_matrix.h5",
)
POSITIONS = ("spatial/tissue_positions.csv", "spatial/tissue_positions_list.csv")
COLUMNS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")

SPOT_UM = 65.0
"""Diameter of the theoretical spot that `spot_diameter_fullres` measures in pixels."""


def read_spaceranger(sample: Sample) -> SampleParts:
    """Read the folder of column `counts`; column `image` names the full image, else the folder's picture is used.

    Of the counts only the names are read here: many steps ask for the image alone.
    """
    folder = sample.counts or sample.image
    if folder is None or not folder.is_dir():
        raise UserError(
            where=sample.where,
            found="column 'counts' names no folder",
            do="name the folder outs of Space Ranger",
        )
    if (folder / SPACERANGER_BINS).is_dir():
        return read_visium_hd(sample, folder)
    where = f"{sample.where}, Space Ranger folder '{folder}'"
    if (folder / HD_POSITIONS).is_file():
        do = f"name the folder outs, which holds {SPACERANGER_BINS}"
        raise UserError(where=where, found="it is one of the folders of bins of Visium HD", do=do)
    check_geometry(sample, where)
    scales = read_scales(folder / SPACERANGER_SCALES, "spot_diameter_fullres", where)
    um_per_px = SPOT_UM / scales["spot_diameter_fullres"]
    image, notes = section_image(sample, (folder / "spatial",), scales, um_per_px, where)
    counts = _first(folder, COUNTS, where, "matrix of counts")
    positions = _first(folder, POSITIONS, where, "table of positions")
    barcodes, types = read_names(counts, where=where)
    _check_types(types, counts, where)
    lost = int((~pd.Index(barcodes).isin(read_positions(positions, where)["barcode"])).sum())
    notes += _left_out(types)
    if lost:
        notes.append(f"{lost} of {len(barcodes)} barcodes with counts have no position; they are left out")
    labels = labels_of(sample, image)
    return SampleParts(
        reader="spaceranger",
        image=image,
        # Two real folders had the old layout, and counts as plain text.
        tested_on_real_files=(counts / "matrix.mtx").is_file()
        and positions == folder / POSITIONS[1]
        and all_tested(image, labels),
        labels=labels,
        spots=SpotsPart(
            partial(_table, counts, positions, um_per_px, where),
            SPOT_UM,
            (counts, positions, folder / SPACERANGER_SCALES),
        ),
        notes=tuple(notes),
    )


def _check_types(types: list[str], counts: Path, where: str) -> None:
    if GENE_EXPRESSION not in types:
        found = f"{counts.name} has no feature of type '{GENE_EXPRESSION}'"
        raise UserError(where=where, found=found, do="give the counts of genes")


def _left_out(types: list[str]) -> list[str]:
    """A note where the matrix counts more than genes, such as antibodies."""
    others = [kind for kind in types if kind != GENE_EXPRESSION]
    if not others:
        return []
    return [f"{len(others)} features that are no genes ({', '.join(sorted(set(others)))}) are left out"]


def _first(folder: Path, names: tuple[str, ...], where: str, what: str) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise UserError(where=where, found=f"there is no {what}", do=f"copy one of these: {', '.join(names)}")


def _table(counts: Path, positions: Path, um_per_px: float, where: str) -> SpotTable:
    """Spots that have both counts and a position, in the order of the counts."""
    matrix = read_ten_x(counts, where=where)
    matrix = matrix.features(matrix.feature_types == GENE_EXPRESSION)
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
        raise UserError(where=where, found=f"{path.name} cannot be read ({error})", do=COPY) from error
    if not has_header:
        if frame.shape[1] != len(COLUMNS):
            found = f"{path.name} has {frame.shape[1]} columns instead of {len(COLUMNS)}"
            raise UserError(where=where, found=found, do=COPY)
        frame.columns = list(COLUMNS)
    absent = [name for name in COLUMNS if name not in frame]
    if absent:
        found = f"{path.name} has no column {', '.join(absent)}"
        raise UserError(where=where, found=found, do="give the file as Space Ranger wrote it")
    if not all(
        pd.api.types.is_numeric_dtype(frame[name]) and frame[name].notna().all() for name in COLUMNS[1:]
    ):
        raise UserError(where=where, found=f"{path.name} has positions that are no numbers", do=COPY)
    return frame
