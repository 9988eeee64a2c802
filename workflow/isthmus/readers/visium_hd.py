"""Visium HD: bins of 2 um of a Space Ranger folder, whose molecules go the way of transcripts, to the cells below.

Layout (Space Ranger 3 and 4), by https://www.10xgenomics.com/analysis-guides/segmentation-visium-hd and
https://www.10xgenomics.com/support/software/space-ranger/latest/analysis/outputs/spatial-outputs:
* `binned_outputs/square_002um/filtered_feature_bc_matrix.h5`, see `ten_x`: columns are bins called
  `s_002um_<row>_<column>-1`, five digits each;
* `binned_outputs/square_002um/spatial/tissue_positions.parquet`: barcode, in_tissue, array_row, array_col,
  pxl_row_in_fullres, pxl_col_in_fullres, a row a bin of the slide; the two last are fractions, a bin's centre;
* `binned_outputs/square_002um/spatial/scalefactors_json.json`: microns_per_pixel, bin_size_um, scales of the pictures.

Coordinates: micrometres of the full image, as for Visium: a position p means p + 0.5 pixels from the image's edge. The
description leaves that half pixel (0.1 to 0.25 um) open. Which way the array's rows and columns run does not matter.

A bin with the count k of a gene is k transcripts at its centre. Memory: a batch, and 24 bytes a bin of the slide (270
MB for 6.5 mm). No real file has tested this reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.config.samples import Sample
from isthmus.counts.matrix import COPY, GENE_EXPRESSION, texts
from isthmus.errors import UserError
from isthmus.image.source import PointsPart, SampleParts
from isthmus.readers.label_images import labels_of
from isthmus.readers.section_image import SCALES, check_geometry, read_scales, section_image
from isthmus.readers.signs import SPACERANGER_BINS

SQUARE = "square_002um"
BIN_UM = 2.0
MATRIX = "filtered_feature_bc_matrix.h5"
POSITIONS = "spatial/tissue_positions.parquet"
PLACES = ("array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")

_FORM = "s_002um_00000_00000-1"
_DIGITS = (slice(8, 13), slice(14, 19))
_FIXED = [i for i in range(len(_FORM) - 1) if not any(d.start <= i < d.stop for d in _DIGITS)]
_BINS_AT_ONCE = 1 << 16
_BUFFER_BYTES = 1 << 16
_BYTES_A_BIN = 24.0
"""Of memory, measured with 11 million: two coordinates, and what reading them leaves behind."""
_NEWEST_MATRIX = 2
_NEWER = "this version reads the layout of Space Ranger 3 and 4"

Floats = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Bins:
    """The files of a folder; genes are the names, code_of the gene of each feature, -1 for what is none."""

    matrix: Path
    positions: Path
    um_per_px: float
    genes: tuple[str, ...]
    code_of: npt.NDArray[np.int32]
    where: str


def read_visium_hd(sample: Sample, folder: Path) -> SampleParts:
    """Read the folder `outs`; column `image` names the full image, else the folder's picture is used."""
    where = f"{sample.where}, Space Ranger folder '{folder}'"
    check_geometry(sample, where)
    square = folder / SPACERANGER_BINS / SQUARE
    if not square.is_dir():
        there = ", ".join(sorted(path.name for path in square.parent.iterdir())) or "nothing"
        found = f"{SPACERANGER_BINS} has no {SQUARE} (it has {there})"
        raise UserError(where=where, found=found, do=f"copy the bins of 2 um; {_NEWER}")
    for name in (MATRIX, POSITIONS, f"spatial/{SCALES}"):
        if not (square / name).is_file():
            raise UserError(where=where, found=f"{SQUARE} has no {name}", do=f"copy it there; {_NEWER}")
    scales = read_scales(square / "spatial" / SCALES, "microns_per_pixel", where)
    if scales.get("bin_size_um", BIN_UM) != BIN_UM:
        found = f"{SCALES} of {SQUARE} says bin_size_um {scales['bin_size_um']:g}"
        raise UserError(where=where, found=found, do=_NEWER)
    um_per_px = scales["microns_per_pixel"]
    pictures = (folder / "spatial", square / "spatial")
    image, notes = section_image(sample, pictures, scales, um_per_px, where)
    n_places = _check_positions(square / POSITIONS, where)
    bins, n_bins, n_entries, left_out = _open(square, um_per_px, where)
    notes.insert(0, f"{n_bins:,} bins of 2 um: what a bin holds goes to the cell under its centre")
    notes += [left_out] if left_out else []
    return SampleParts(
        reader="spaceranger (Visium HD)",
        image=image,
        points=PointsPart(
            columns=("x_um", "y_um", "gene"),
            batches=partial(_batches, bins),
            files=(bins.matrix, bins.positions, square / "spatial" / SCALES),
            # most entries are 1
            expected_rows=n_entries,
            beside_mb=n_places * _BYTES_A_BIN / 1e6,
        ),
        labels=labels_of(sample, image),
        tested_on_real_files=False,
        notes=tuple(notes),
    )


def _check_positions(path: Path, where: str) -> int:
    """The columns and the number of bins, from the file's foot."""
    try:
        metadata = pq.read_metadata(path)
        found = metadata.schema.to_arrow_schema().names
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(where=where, found=f"{path.name} cannot be read ({error})", do=COPY) from error
    absent = [name for name in ("barcode", *PLACES) if name not in found]
    if absent:
        told = f"{path.name} has no column {', '.join(absent)} (it has {', '.join(found)})"
        raise UserError(where=where, found=told, do=_NEWER)
    return int(metadata.num_rows)


def _open(square: Path, um_per_px: float, where: str) -> tuple[_Bins, int, int, str]:
    """The bins, how many there are, how many counts that are not 0, and what is left out, in words."""
    path = square / MATRIX
    try:
        with h5py.File(path) as file:
            version = int(file.attrs.get("version", _NEWEST_MATRIX))
            if version > _NEWEST_MATRIX:
                found = f"{MATRIX} is of version {version} of its layout"
                raise UserError(where=where, found=found, do=_NEWER)
            group = file["matrix"]
            ids, names, types = (texts(group["features"][key][:]) for key in ("id", "name", "feature_type"))
            n_bins, n_entries = group["barcodes"].shape[0], group["data"].shape[0]
            if group["indptr"].shape[0] != n_bins + 1 or group["indices"].shape[0] != n_entries:
                found = f"{MATRIX} has {n_bins} bins, but {group['indptr'].shape[0] - 1} columns of counts"
                raise UserError(where=where, found=found, do=COPY)
            if group["data"].dtype.kind not in "iu":
                found = f"{MATRIX} holds values of {group['data'].dtype}"
                raise UserError(where=where, found=found, do="give raw counts, not normalised ones")
            _row_and_column(group["barcodes"][:1], MATRIX, where)
    except KeyError as error:
        raise UserError(where=where, found=f"{MATRIX} lacks a data set ({error.args[0]})", do=COPY) from error
    except OSError as error:
        raise UserError(where=where, found=f"{MATRIX} cannot be read ({error})", do=COPY) from error
    is_gene = np.array([kind == GENE_EXPRESSION for kind in types], dtype=bool)
    if not is_gene.any() or not n_entries:
        found = f"{MATRIX} has no counts of features of type '{GENE_EXPRESSION}'"
        raise UserError(where=where, found=found, do="give the counts of genes")
    twice = pd.Series(names).duplicated(keep=False)
    unique = np.where(twice, ids, names)
    code_of = np.where(is_gene, np.cumsum(is_gene) - 1, -1).astype(np.int32)
    others = sorted({kind for kind in types if kind != GENE_EXPRESSION})
    left_out = f"{(~is_gene).sum()} features that are no genes ({', '.join(others)}) are left out"
    bins = _Bins(path, square / POSITIONS, um_per_px, tuple(unique[is_gene].tolist()), code_of, where)
    return bins, n_bins, n_entries, left_out if others else ""


def _batches(bins: _Bins, n: int) -> Iterator[pa.RecordBatch]:
    """Transcripts, bin by bin in the order of the matrix, at most n at a time."""
    centres = _centres(bins)
    names = pa.array(bins.genes, pa.string())
    with h5py.File(bins.matrix) as file:
        group = file["matrix"]
        n_bins = group["barcodes"].shape[0]
        for first in range(0, n_bins, _BINS_AT_ONCE):
            last = min(first + _BINS_AT_ONCE, n_bins)
            place = _find(centres, group["barcodes"][first:last], bins)
            start = group["indptr"][first : last + 1].astype(np.int64)
            for a in range(int(start[0]), int(start[-1]), n):
                b = min(a + n, int(start[-1]))
                of_bin = np.repeat(np.arange(last - first), np.diff(np.clip(start, a, b)))
                gene = bins.code_of[group["indices"][a:b]]
                count = np.where(gene >= 0, group["data"][a:b], 0).astype(np.int64)
                if count.min(initial=0) < 0:
                    raise UserError(where=bins.where, found=f"{MATRIX} holds counts below 0", do=COPY)
                for entry in _repeated(count, n):
                    at = of_bin[entry]
                    columns = [
                        pa.array(place[0][at]),
                        pa.array(place[1][at]),
                        pa.DictionaryArray.from_arrays(pa.array(gene[entry]), names),
                    ]
                    yield pa.RecordBatch.from_arrays(columns, names=["x_um", "y_um", "gene"])


def _repeated(count: Int64, n: int) -> Iterator[Int64]:
    """Each place as often as its count says, in order, at most n at a time."""
    end = np.cumsum(count)
    total = int(end[-1]) if end.size else 0
    for first in range(0, total, n):
        yield np.searchsorted(end, np.arange(first, min(first + n, total)), side="right")


def _centres(bins: _Bins) -> tuple[Floats, Floats]:
    """Centres (x, y) in micrometres by array row and column; NaN where the table has no bin."""
    try:
        shape = tuple(_extent(bins.positions, name) for name in PLACES[:2])
        x_um, y_um = np.full(shape, np.nan), np.full(shape, np.nan)
        for batch in _read_positions(bins.positions, ["barcode", *PLACES]):
            row, column, y, x = (batch.column(name).to_numpy(zero_copy_only=False) for name in PLACES)
            told = _row_and_column(_fixed(batch.column("barcode")), bins.positions.name, bins.where)
            if not (np.array_equal(told[0], row) and np.array_equal(told[1], column)):
                found = f"barcodes of {bins.positions.name} do not name array_row and array_col"
                raise UserError(where=bins.where, found=found, do=_NEWER)
            if not (np.isfinite(x).all() and np.isfinite(y).all()):
                found = f"{bins.positions.name} has positions that are no numbers"
                raise UserError(where=bins.where, found=found, do=COPY)
            x_um[row, column] = (x + 0.5) * bins.um_per_px
            y_um[row, column] = (y + 0.5) * bins.um_per_px
    except (OSError, ValueError, TypeError) as error:
        found = f"{bins.positions.name} cannot be read ({error})"
        raise UserError(where=bins.where, found=found, do=COPY) from error
    return x_um, y_um


def _extent(path: Path, column: str) -> int:
    """One more than the largest value of a column."""
    highest = (
        batch.column(0).to_numpy(zero_copy_only=False).max() for batch in _read_positions(path, [column])
    )
    return int(max(highest, default=-1)) + 1


def _read_positions(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Some columns in batches; a small buffer and nothing read ahead, so that memory follows the batch."""
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
        yield from file.iter_batches(_BINS_AT_ONCE, columns=columns)


def _fixed(names: pa.Array) -> npt.NDArray[np.bytes_]:
    """Names of one length as an array of these; those of other lengths are made recognisably wrong."""
    fixed = names.cast(pa.binary()).cast(pa.binary(len(_FORM)))
    return np.frombuffer(fixed.buffers()[1], f"S{len(_FORM)}", len(fixed), fixed.offset * len(_FORM))


def _row_and_column(names: npt.NDArray[Any], file: str, where: str) -> tuple[Int64, Int64]:
    """Array row and column that the names of bins tell."""
    text = np.ascontiguousarray(names.astype(f"S{len(_FORM) + 1}")).view(np.uint8)
    letters = text.reshape(len(names), len(_FORM) + 1)
    form = np.frombuffer(_FORM.encode(), np.uint8)
    digits = [letters[:, part].astype(np.int64) - ord("0") for part in _DIGITS]
    good = (letters[:, _FIXED] == form[_FIXED]).all(axis=1) & (letters[:, -1] == 0)
    # what counts capture areas of one matrix comes last
    for part in (*digits, letters[:, -2:-1].astype(np.int64) - ord("0")):
        good &= ((part >= 0) & (part <= 9)).all(axis=1)
    if not good.all():
        wrong = bytes(names[np.flatnonzero(~good)[0]]).decode(errors="replace")
        found = f"{file} has a bin called '{wrong}', not 's_002um_<row>_<column>-1'"
        raise UserError(where=where, found=found, do=_NEWER)
    powers = 10 ** np.arange(4, -1, -1)
    return digits[0] @ powers, digits[1] @ powers


def _find(centres: tuple[Floats, Floats], barcodes: npt.NDArray[Any], bins: _Bins) -> tuple[Floats, Floats]:
    """Centres (x, y) of bins, in micrometres."""
    row, column = _row_and_column(barcodes, MATRIX, bins.where)
    shape = centres[0].shape
    there = (row < shape[0]) & (column < shape[1])
    x_um, y_um = (np.full(len(row), np.nan) for _ in range(2))
    x_um[there], y_um[there] = (each[row[there], column[there]] for each in centres)
    if np.isnan(x_um).any():
        first = bytes(barcodes[np.flatnonzero(np.isnan(x_um))[0]]).decode()
        found = f"bin '{first}' of {MATRIX} has no position in {bins.positions.name}"
        raise UserError(where=bins.where, found=found, do="give files of the same sample")
    return x_um, y_um
