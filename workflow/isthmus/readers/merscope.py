"""Region folders of Vizgen MERSCOPE, and what Vizgen's postprocessing tool (VPT) makes of them.

Tested on real files: the test region of VPT (three stains, seven planes, transcripts, outlines, counts), and Giotto's
crop of the mouse brain receptor map, whose outlines have y negated.

Sources of the layout:
* folders and tables: https://vizgen.github.io/vizgen-postprocessing/ (input and output data formats)
* HDF5 outlines: the writer of https://github.com/emanuega/MERlin and the reader of
  https://github.com/Vizgen/vizgen-postprocessing, whose test data this reader is tested on

Coordinates: micron_to_mosaic_pixel_transform.csv maps micrometres to pixel indices. Which point of a pixel its index
means is not stated; MERlin, from which the instrument's software comes, makes mosaics with transforms of pixel centres
(OpenCV), so a whole number is taken as a centre: column = M x + 0.5 where pixel i covers [i, i + 1). There is no flip.
`global_z` is the number of a plane; plane k covers [k, k + 1) x z step, so its transcripts lie at (k + 0.5) x z step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.description import ImageDescription
from isthmus.image.open import open_image
from isthmus.image.plane_files import PlaneFiles
from isthmus.image.source import ImageHeader, ImagePart, PointsPart, PolygonsPart, SampleParts, all_tested
from isthmus.readers.columns import accepted_names
from isthmus.readers.label_images import labels_of
from isthmus.readers.place import required_image
from isthmus.readers.points import open_points
from isthmus.readers.polygons import is_polygons, lies_upside_down, open_polygons, with_y_upwards
from isthmus.readers.signs import MERSCOPE_IMAGE_FOLDERS, MERSCOPE_TRANSFORM
from isthmus.readers.vertex_table import PLANE_FILES, open_vertex_tables

IMAGE_NAME = re.compile(r"(?:mosaic_)?(?P<stain>.+)_z(?P<z>\d+)\.tiff?")
TRANSCRIPTS = ("detected_transcripts.csv", "detected_transcripts.parquet", "detected_transcripts.csv.gz")
# In the order of preference: what the instrument writes now, what VPT's examples are called, what it wrote until 2022.
POLYGONS = (
    "cell_boundaries.parquet",
    "cellpose_micron_space.parquet",
    "cellpose2_micron_space.parquet",
    "cell_boundaries",
)
Z_STEP_UM = 1.5
"""Distance of the planes of every MERSCOPE experiment so far; column z_step_um says otherwise."""
COLUMNS = {
    "x_um": ("global_x",),
    "y_um": ("global_y",),
    "z_um": ("global_z",),
    "gene": ("gene",),
    "vendor_cell_id": ("EntityID", "cell_id"),
}


def read_merscope(sample: Sample) -> SampleParts:
    """Read a region folder, named by column `image`; columns `transcripts` and `labels` may name other files."""
    folder = required_image(sample)
    where = f"{sample.where}, MERSCOPE folder '{folder}'"
    if not folder.is_dir():
        raise UserError(where=where, found="this is no folder", do="name the folder of a region")
    image = _image(sample, folder, where)
    polygons, turned = _polygons(sample, folder, image.header)
    labels = None if polygons else labels_of(sample, image)
    notes = [f"MERSCOPE region with {', '.join(image.header.channels)} in {image.header.shape[1]} planes"]
    if turned:
        notes.append("the outlines' y is negated: they are turned to lie on the image")
    if not polygons and not labels:
        notes.append("the folder lacks the vendor's outlines; only segmentation.method labels needs them")
    return SampleParts(
        reader="merscope",
        image=image,
        tested_on_real_files=all_tested(image, labels, polygons),
        points=_points(sample, folder, image.header.z_step_um, where),
        labels=labels,
        polygons=polygons,
        labels_show="cells" if polygons else "nuclei",
        planes_are="sections",
        n_vendor_cells=_count_cells(folder),
        notes=tuple(notes),
    )


def _image(sample: Sample, folder: Path, where: str) -> ImagePart:
    files = _image_files(folder, where)
    stains = sorted(
        {stain for stain, _ in files}, key=lambda stain: (not stain.lower().startswith("dapi"), stain)
    )
    planes = sorted({z for _, z in files})
    for stain in stains:
        for z in range(planes[-1] + 1):
            if (stain, z) not in files:
                raise UserError(
                    where=where,
                    found=f"there is no image of stain {stain} in plane {z}",
                    do=f"copy mosaic_{stain}_z{z}.tif from the instrument's output",
                )
    described = {key: open_image(path, where=sample.where) for key, path in files.items()}
    first = described[(stains[0], 0)]
    for key, one in described.items():
        if one.shape != first.shape or one.dtype != first.dtype or one.shape[:2] != (1, 1):
            raise _unlike(files[key], one, first, where)
    header = ImageHeader(
        shape=(len(stains), len(planes), *first.shape[2:]),
        dtype=first.dtype,
        channels=tuple(stains),
        affine=Affine(*sample.affine) if sample.affine else _affine(folder, where),
        z_step_um=(sample.z_step_um or Z_STEP_UM) if len(planes) > 1 else 1.0,
    )
    sources = tuple(tuple(described[(stain, z)].open for z in planes) for stain in stains)
    return ImagePart(header, partial(PlaneFiles, sources), tuple(files[key] for key in sorted(files)))


def _image_files(folder: Path, where: str) -> dict[tuple[str, int], Path]:
    """Files of the mosaics by stain and plane; planes are numbered from 0."""
    for name in MERSCOPE_IMAGE_FOLDERS:
        found = {}
        for path in sorted((folder / name).glob("*")):
            match = IMAGE_NAME.fullmatch(path.name)
            if match:
                found[(match["stain"], int(match["z"]))] = path
        if found:
            _check_manifest(folder / name, where)
            return found
    others = sorted(path.name for path in (folder / "images").glob("*"))[:3]
    raise UserError(
        where=where,
        found="there are no images mosaic_<stain>_z<plane>.tif"
        + (f", but {', '.join(others)}: a layout that this version does not know" if others else ""),
        do="copy the folder images of the region, or report the new layout",
    )


def _check_manifest(images: Path, where: str) -> None:
    """Every mosaic that images/manifest.json names must be there."""
    path = images / "manifest.json"
    if not path.is_file():
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        found = f"{path.name} is no readable JSON ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error
    listed = content.get("mosaic_files") if isinstance(content, dict) else None
    for entry in listed if isinstance(listed, list) else []:
        name = entry.get("file_name") if isinstance(entry, dict) else None
        if isinstance(name, str) and not (images / Path(name).name).is_file():
            found = f"manifest.json names '{name}', which is not there"
            raise UserError(where=where, found=found, do="copy it from the instrument's output")


def _unlike(path: Path, one: ImageDescription, first: ImageDescription, where: str) -> UserError:
    shape, other = (" x ".join(map(str, image.shape)) for image in (one, first))
    return UserError(
        where=where,
        found=f"'{path.name}' is {shape} of {one.dtype}, the first image {other} of {first.dtype}",
        do="copy the images again: all mosaics of a region have one size and one plane",
    )


def _affine(folder: Path, where: str) -> Affine:
    """Pixels to micrometres, from the matrix for the other way whose whole numbers are centres of pixels."""
    path = next(
        (
            folder / name / MERSCOPE_TRANSFORM
            for name in MERSCOPE_IMAGE_FOLDERS
            if (folder / name / MERSCOPE_TRANSFORM).is_file()
        ),
        None,
    )
    if path is None:
        raise UserError(
            where=where,
            found=f"there is no {MERSCOPE_TRANSFORM}",
            do="copy it from the region's folder images, or fill column affine",
        )
    try:
        matrix = np.array(
            [
                [float(word) for word in re.split(r"[\s,]+", line.strip())]
                for line in path.read_text().splitlines()
                if line.strip()
            ]
        )
    except ValueError:
        matrix = np.empty((0, 0))
    if (
        matrix.shape != (3, 3)
        or matrix[2].tolist() != [0, 0, 1]
        or not np.isfinite(matrix).all()
        or abs(np.linalg.det(matrix)) < 1e-9
    ):
        raise UserError(
            where=where,
            found=f"{path.name} holds no 3 x 3 matrix of an affine map",
            do="copy it again from the instrument's output",
        )
    (a, b, c), (d, e, f) = matrix[:2].tolist()
    det = a * e - b * d
    inverse = Affine(e / det, -b / det, 0.0, -d / det, a / det, 0.0)
    x0, y0 = (-(c + 0.5), -(f + 0.5))
    return Affine(
        inverse.a,
        inverse.b,
        inverse.a * x0 + inverse.b * y0,
        inverse.d,
        inverse.e,
        inverse.d * x0 + inverse.e * y0,
    )


def _points(sample: Sample, folder: Path, z_step_um: float, where: str) -> PointsPart:
    path = sample.transcripts or next(
        (folder / name for name in TRANSCRIPTS if (folder / name).is_file()), None
    )
    if path is None:
        raise UserError(
            where=where,
            found="there is no table of transcripts",
            do=f"copy {TRANSCRIPTS[0]} from the instrument's output, or fill column transcripts",
        )
    points = open_points(path, where=sample.where, accepted=accepted_names(sample.columns, COLUMNS))
    return replace(points, batches=partial(_in_planes, points, z_step_um))


def _in_planes(points: PointsPart, z_step_um: float, n: int) -> Iterator[pa.RecordBatch]:
    """Batches whose z is the middle of the plane that the vendor numbers."""
    for batch in points.batches(n):
        if "z_um" in batch.schema.names:
            z_um = pc.multiply(pc.add(batch.column("z_um").cast(pa.float64()), 0.5), z_step_um)
            at = batch.schema.names.index("z_um")
            batch = batch.set_column(at, "z_um", z_um)  # noqa: PLW2901 - the batch with its z in micrometres
        yield batch


def _polygons(sample: Sample, folder: Path, image: ImageHeader) -> tuple[PolygonsPart | None, bool]:
    """The vendor's outlines, and whether they had to be turned over."""
    path = sample.labels
    if path is None:
        path = next((folder / name for name in POLYGONS if (folder / name).exists()), None)
    if path is None:
        return None, False
    if path.is_dir() and any(path.glob(PLANE_FILES)):
        part = open_vertex_tables(path, sample.where)
    elif is_polygons(path) or sample.labels is None:
        part = open_polygons(path, sample.where)
    else:
        return None, False
    turned = lies_upside_down(part, image)
    return (with_y_upwards(part) if turned else part), turned


def _count_cells(folder: Path) -> int | None:
    path = folder / "cell_metadata.csv"
    try:
        return int(pyarrow.csv.read_csv(path).num_rows) if path.is_file() else None
    except (pa.ArrowInvalid, OSError):
        return None
