"""Flat-file exports of NanoString (Bruker) CosMx SMI, assembled to one mosaic by the positions of the fields of view.

No real export has tested this reader. Sources of the layout:
* files and columns of AtoMx exports:
  https://nanostring-biostats.github.io/CosMx-Analysis-Scratch-Space/posts/flat-file-exports/flat-files-compare.html
* versions of the positions: https://github.com/gustaveroussy/sopa issues 63, 146, 227, 230, 231, 352, and its reader
* images against tables: the readers of https://github.com/scverse/spatialdata-io and sopa
* a table of 2024 whose y_local_px and y_global_px run against each other: https://github.com/dcjones/proseg/issues/39

A mosaic, not a stack of fields: neighbouring fields touch, and cells across their borders are whole only there.
Empty ground between fields costs little, for its pixels are all 0.

Coordinates: y_global_px grows upwards, rows of images downwards. The sample's frame is the vendor's with y negated:
x_um = x_global_px x size, y_um = -y_global_px x size. Transcripts are placed by their field and their local pixels, so
that rounding a field to whole pixels of the mosaic moves image, labels and transcripts together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.description import ImageDescription
from isthmus.image.mosaic import Mosaic, Tile
from isthmus.image.open import open_image
from isthmus.image.source import ImageHeader, ImagePart, PointsPart, SampleParts
from isthmus.readers.cosmx_fields import (
    CELLS_A_FIELD,
    PIXEL_SIZE_UM,
    Fields,
    find_fields,
    open_table,
    read_positions,
    table_named,
)
from isthmus.readers.place import required_image
from isthmus.readers.points import check_not_empty, points_part
from isthmus.readers.signs import COSMX_POSITIONS

TRANSCRIPTS, CELLS = "tx_file.csv", "metadata_file.csv"
_IMAGE = re.compile(r".*_F(\d+)\.tiff?", re.IGNORECASE)
_LABELS = re.compile(r"CellLabels_F(\d+)\.tiff?", re.IGNORECASE)
TX_COLUMNS = {
    "fov": pa.int64(),
    "cell_ID": pa.int64(),
    "x_local_px": pa.float64(),
    "y_local_px": pa.float64(),
    "target": pa.string(),
}


def read_cosmx(sample: Sample) -> SampleParts:
    """Read a folder of flat files and images, named by column `image`."""
    folder = required_image(sample)
    where = f"{sample.where}, CosMx folder '{folder}'"
    size_um = sample.pixel_size_um or PIXEL_SIZE_UM
    positions = read_positions(table_named(folder, COSMX_POSITIONS, where), size_um, where)
    transcripts = sample.transcripts or table_named(folder, TRANSCRIPTS, where)
    images = _images(folder, where)
    labels = {int(m[1]): path for path in sorted(folder.rglob("*")) if (m := _LABELS.fullmatch(path.name))}
    missing = sorted(set(images) - set(positions.places))
    if missing:
        found = f"field {missing[0]} has an image and no line in the file of positions"
        raise UserError(where=where, found=found, do="export both from the same study")
    described = {fov: open_image(path, where=sample.where) for fov, path in images.items()}
    first = _same_shape(described, images, where)
    label_images = {
        fov: open_image(path, where=sample.where) for fov, path in labels.items() if fov in images
    }
    for fov, one in label_images.items():
        if one.shape != (1, *first.shape[1:]):
            here, there = (" x ".join(map(str, image.shape[2:])) for image in (one, first))
            found = f"'{labels[fov].name}' has {here} pixels in {one.shape[0]} channels, the images {there}"
            raise UserError(where=where, found=found, do="export labels and images from the same study")
    fields = find_fields(positions, first.shape[2:], sorted(images), transcripts, label_images, where)
    affine = Affine(*sample.affine) if sample.affine else fields.affine(size_um)
    header = ImageHeader((first.shape[0], 1, *fields.shape), first.dtype, _channels(first, images), affine)
    gene = sample.columns.get("gene", "target")
    return SampleParts(
        reader=f"cosmx ({positions.version})",
        image=ImagePart(header, _mosaic(fields, described, first.dtype), tuple(images.values())),
        points=_points(transcripts, fields, affine, gene, where),
        labels=_label_part(fields, label_images, labels, header),
        labels_show="cells",
        n_vendor_cells=_count_cells(folder),
        fields=tuple(fields.boxes(affine)),
        tested_on_real_files=False,
        notes=_notes(fields, positions.version, set(images) - set(labels)),
    )


def _notes(fields: Fields, version: str, without_labels: set[int]) -> tuple[str, ...]:
    notes = [
        f"CosMx export with {version}, {len(fields.places)} fields in a mosaic that they cover to {fields.covered:.0%}",
        "no real CosMx export has tested this reader; the layout is that of cited sources",
        fields.evidence,
    ]
    if without_labels:
        notes.append(
            f"{len(without_labels)} fields have no CellLabels; only segmentation.method labels needs them"
        )
    return tuple(notes)


def _images(folder: Path, where: str) -> dict[int, Path]:
    """Images of the fields by their numbers."""
    for place in [folder / "Morphology2D", *sorted(folder.glob("**/Morphology2D"))]:
        found = {int(m[1]): path for path in sorted(place.glob("*")) if (m := _IMAGE.fullmatch(path.name))}
        if found:
            return found
    others = [
        name for name in ("CellComposite", "Morphology3D", "RawMorphologyImages") if (folder / name).is_dir()
    ]
    raise UserError(
        where=where,
        found="there is no folder Morphology2D with images *_F<field>.TIF"
        + (f", only {', '.join(others)}, whose pictures are no measured intensities" if others else ""),
        do="export the morphology images too",
    )


def _same_shape(
    described: Mapping[int, ImageDescription], images: Mapping[int, Path], where: str
) -> ImageDescription:
    first = next(iter(described.values()))
    for fov, one in described.items():
        if one.shape != first.shape or one.dtype != first.dtype or one.shape[1] != 1:
            here, there = (" x ".join(map(str, image.shape)) for image in (one, first))
            raise UserError(
                where=where,
                found=f"'{images[fov].name}' is {here} of {one.dtype}, the first image {there} of {first.dtype}",
                do="export the images again: all fields have one size and one plane",
            )
    return first


def _channels(first: ImageDescription, images: Mapping[int, Path]) -> tuple[str, ...]:
    """Names of the channels, from the note in the first image where it has one."""
    import tifffile

    with tifffile.TiffFile(next(iter(images.values()))) as file:
        note = str(file.pages[0].tags.valueof(270) or "")
    targets = re.findall(r'"BiologicalTarget"\s*:\s*"(.*?)"', note)
    ids = re.findall(r'"ChannelId"\s*:\s*"(.*?)"', note)
    order = re.findall(r'"ChannelOrder"\s*:\s*"(.*?)"', note)
    named = dict(zip(ids, targets, strict=False))
    names = [named.get(letter, letter) for letter in order[0]] if order else targets
    return tuple(names) if len(names) == len(set(names)) == first.shape[0] else first.channels


def _mosaic(fields: Fields, described: Mapping[int, ImageDescription], dtype: str) -> partial[Mosaic]:
    tiles = tuple(Tile(described[fov].open, *fields.places[fov]) for fov in sorted(described))
    return partial(Mosaic, tiles, fields.field_px, fields.turned, dtype)


def _label_part(
    fields: Fields,
    label_images: Mapping[int, ImageDescription],
    files: Mapping[int, Path],
    header: ImageHeader,
) -> ImagePart | None:
    """Labels of all fields: the id of a cell is its field x 1,000,000 + its number in the field."""
    if not label_images:
        return None
    tiles = tuple(
        Tile(label_images[fov].open, *fields.places[fov], add=fov * CELLS_A_FIELD)
        for fov in sorted(label_images)
    )
    whole = replace(header, shape=(1, *header.shape[1:]), dtype="int64", channels=("labels",))
    source = partial(Mosaic, tiles, fields.field_px, fields.turned, "int64")
    return ImagePart(whole, source, tuple(files[fov] for fov in sorted(label_images)))


def _points(path: Path, fields: Fields, affine: Affine, gene: str, where: str) -> PointsPart:
    where = f"{where}, transcripts '{path.name}'"
    part = points_part(
        partial(_raw_points, path, fields, affine, gene, where),
        ("x_um", "y_um", "gene", "vendor_cell_id"),
        (path,),
        where,
    )
    check_not_empty(part, where)
    return part


def _raw_points(
    path: Path, fields: Fields, affine: Affine, gene: str, where: str, n: int
) -> Iterator[pa.RecordBatch]:
    columns = {gene if name == "target" else name: kind for name, kind in TX_COLUMNS.items()}
    for batch in open_table(path, columns, where):
        fov, cell, x, y = (batch.column(name).to_numpy(zero_copy_only=False) for name in list(columns)[:4])
        row, column = fields.in_mosaic(fov, x, y, where)
        x_um, y_um = affine.to_um(column, row)
        ids = pc.if_else(pa.array(cell > 0), pa.array(fov * CELLS_A_FIELD + cell), None)
        yield pa.RecordBatch.from_arrays(
            [pa.array(x_um), pa.array(y_um), batch.column(gene), ids.cast(pa.string())],
            names=["x_um", "y_um", "gene", "vendor_cell_id"],
        )


def _count_cells(folder: Path) -> int | None:
    for path in folder.glob(f"*{CELLS}*"):
        try:
            return int(pyarrow.csv.read_csv(path).num_rows)
        except (pa.ArrowInvalid, OSError):
            return None
    return None
