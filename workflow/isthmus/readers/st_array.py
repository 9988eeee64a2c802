"""Spatial Transcriptomics arrays: a table of counts (spots x genes), an alignment table, and an H&E picture.

Column `counts` names the table, text with tabs and a row a spot called `<x>x<y>` (array places), plain or `.gz`. Beside
it lies `alignment_table_<name of the table>`, columns x, y (array), pixel_x, pixel_y (the picture's pixels, column and
row) and, where given, selected (1 = tissue), as STUtility reads them (https://github.com/jbergenstrahle/STUtility).
Files don't tell the size of a pixel: column `pixel_size_um` or `affine` does. Tested on two real sections.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix

from isthmus.config.samples import Sample
from isthmus.counts.matrix import COPY
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.open import open_image
from isthmus.image.source import SampleParts, SpotsPart, SpotTable, all_tested
from isthmus.readers.label_images import labels_of
from isthmus.readers.place import required_image
from isthmus.readers.section_image import doubts, stained

SPOT_UM = 100.0
"""Diameter of a spot of these arrays (doi:10.1126/science.aaf2403)."""

_COLUMNS = ("x", "y", "pixel_x", "pixel_y")
_MOST = np.iinfo(np.int32).max


def read_st_array(sample: Sample) -> SampleParts:
    """Read a section: counts, alignment beside them, picture."""
    if sample.counts is None or not sample.counts.is_file():
        raise UserError(
            where=sample.where, found="column 'counts' names no table", do="name the table of counts"
        )
    positions = sample.counts.with_name(f"alignment_table_{sample.counts.name}")
    where = f"{sample.where}, counts '{sample.counts}'"
    if not positions.is_file():
        raise UserError(where=where, found=f"there is no {positions.name} beside it", do="copy it there")
    affine = _affine(sample)
    image = stained(open_image(required_image(sample), where=sample.where), affine, sample.where)
    names = _text(sample.counts, where, usecols=[0]).index
    lost = int((_find(names, _places(positions, where)) < 0).sum())
    left_out = [f"{lost} spots with counts are not in the alignment table; they are left out"] if lost else []
    labels = labels_of(sample, image)
    return SampleParts(
        reader="st_array",
        image=image,
        tested_on_real_files=all_tested(image, labels),
        labels=labels,
        spots=SpotsPart(
            partial(_table, sample.counts, positions, affine, where), SPOT_UM, (sample.counts, positions)
        ),
        notes=(*doubts(max(affine.pixel_size_um)), *left_out),
    )


def _affine(sample: Sample) -> Affine:
    """Pixels of the picture to micrometres, which only the row tells."""
    if sample.affine is not None:
        return Affine(*sample.affine)
    if sample.pixel_size_um is None:
        do = "fill column pixel_size_um"
        raise UserError(where=sample.where, found="the files do not say how large a pixel is", do=do)
    return Affine.from_size(sample.pixel_size_um, sample.origin_x_um or 0.0, sample.origin_y_um or 0.0)


def _text(path: Path, where: str, usecols: list[int] | None = None) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep="\t", index_col=0, usecols=usecols)
    except (OSError, EOFError, ValueError, pd.errors.ParserError) as error:
        raise UserError(where=where, found=f"{path.name} cannot be read ({error})", do=COPY) from error


def _places(positions: Path, where: str) -> pd.DataFrame:
    """The alignment table; its columns are numbers."""
    places = _text(positions, where).reset_index()
    absent = [name for name in _COLUMNS if name not in places]
    if absent:
        found = f"{positions.name} has no column {', '.join(absent)}"
        raise UserError(where=where, found=found, do=COPY)
    for name in _COLUMNS:
        wrong = ~np.isfinite(pd.to_numeric(places[name], errors="coerce").to_numpy(np.float64))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            found = f"{positions.name}, row {row + 1}: {name} is '{places[name].iloc[row]}', no number"
            raise UserError(where=where, found=found, do=COPY)
    return places


def _find(names: pd.Index, places: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Row of the alignment table of each spot; -1 where it has none."""
    there = places["x"].astype(str) + "x" + places["y"].astype(str)
    return np.asarray(pd.Index(there).get_indexer(names.astype(str)), dtype=np.int64)


def _counts(matrix: pd.DataFrame, counts: Path, where: str) -> npt.NDArray[np.int32]:
    """The counts; the first value that is none is told by its spot and its gene."""
    values = matrix.to_numpy()
    if values.dtype.kind not in "iuf":
        values = matrix.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    wrong = ~((values >= 0) & (values <= _MOST) & (values == np.floor(values)))
    if wrong.any():
        spot, gene = (int(i) for i in np.argwhere(wrong)[0])
        found = (
            f"{counts.name}, spot {matrix.index[spot]}, {matrix.columns[gene]}: '{matrix.iat[spot, gene]!s}' is"
            f" no whole number from 0 to {_MOST}"
        )
        raise UserError(where=where, found=found, do="give raw counts, a row a spot")
    return values.astype(np.int32)


def _table(counts: Path, positions: Path, affine: Affine, where: str) -> SpotTable:
    """Spots that have both counts and a place, in the order of the counts."""
    matrix, places = _text(counts, where), _places(positions, where)
    values, place = _counts(matrix, counts, where), _find(matrix.index, places)
    keep = place >= 0
    if not keep.any():
        found = f"no row of {counts.name} is a place `<x>x<y>` of {positions.name}"
        raise UserError(where=where, found=found, do="give tables of the same section")
    own = places.iloc[place[keep]]
    # A place names a pixel, whose centre is meant.
    x_um, y_um = affine.to_um(
        own["pixel_x"].to_numpy(np.float64) + 0.5, own["pixel_y"].to_numpy(np.float64) + 0.5
    )
    genes = np.array([str(name) for name in matrix.columns], dtype=object)
    tissue = own["selected"].to_numpy() == 1 if "selected" in own else np.ones(len(own), dtype=bool)
    return SpotTable(
        counts=csr_matrix(values[keep]),
        names=matrix.index.astype(str).to_numpy(dtype=object)[keep],
        genes=genes,
        gene_ids=genes,
        x_um=x_um,
        y_um=y_um,
        in_tissue=tissue,
        columns={f"array_{axis}": own[axis].to_numpy(np.int64) for axis in ("x", "y")},
    )
