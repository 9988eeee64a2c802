"""Output folders of 10x Genomics Xenium, Onboard Analysis (XOA) and Xenium Ranger versions 1 to 4.

Sources of the layout (no real folder has tested this reader):
* files and manifest: 10x Genomics, "Understanding Xenium Outputs" for XOA 1.9, 2.0 and latest,
  https://www.10xgenomics.com/support/software/xenium-onboard-analysis/latest/analysis/xoa-output-understanding-outputs
* a manifest of version 1.3: https://huggingface.co/datasets/nf-core/xeniumranger/blob/main/experiment.xenium
* versions tell less than files do (a public 4.0 data set calls itself "R&D"):
  https://github.com/scverse/spatialdata-io/issues/361 and /362
* image names of version 4: https://github.com/SpatialPathology/InSituPy/issues/364

Coordinates: transcripts are in micrometres of the full image, from the outer corner of its upper left pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.description import ImageDescription
from isthmus.image.open import open_image
from isthmus.image.source import PointsPart, SampleParts
from isthmus.readers.columns import accepted_names
from isthmus.readers.label_images import labels_of
from isthmus.readers.place import required_image, z_step_um
from isthmus.readers.points import open_points
from isthmus.readers.signs import XENIUM_MANIFEST
from isthmus.readers.xenium_manifest import Manifest, read_manifest
from isthmus.readers.xenium_outlines import CELLS as OUTLINES
from isthmus.readers.xenium_outlines import is_outlines, open_outlines, shows_nuclei
from isthmus.readers.xenium_zarr import open_zarr_points

# In the order of preference, after the one that the manifest names: the sharpest two-dimensional image first.
IMAGES = (
    "morphology_focus/morphology_focus_0000.ome.tif",  # XOA 2 and 3: one file a stain, joined by OME metadata
    "morphology_focus/ch0000_*.ome.tif",  # XOA 4
    "morphology_focus.ome.tif",  # XOA 1
    "morphology_mip.ome.tif",  # XOA 1
)
TRANSCRIPTS = ("transcripts.parquet", "transcripts.csv.gz", "transcripts.zarr.zip")
CELLS = ("cells.parquet", "cells.csv.gz")
BOUNDARIES = ("nucleus_boundaries", "cell_boundaries")
# Stains of the cell segmentation kit where the file does not name its channels:
# https://github.com/scverse/spatialdata-io/pull/112
STAINS = ("DAPI", "ATP1A1/CD45/E-Cadherin", "18S", "AlphaSMA/Vimentin")


def read_xenium(sample: Sample) -> SampleParts:
    """Read a Xenium output folder, named by column `image`.

    Columns `transcripts` and `labels` may name another table and other outlines or a label image.
    """
    folder = required_image(sample)
    folder = folder.parent if folder.name == XENIUM_MANIFEST else folder
    where = f"{sample.where}, Xenium folder '{folder}'"
    manifest = read_manifest(folder, where)
    image_path = _image_path(folder, manifest, where)
    image = _named(open_image(image_path, where=sample.where), image_path)
    affine = Affine(*sample.affine) if sample.affine else Affine.from_size(manifest.pixel_size_um)
    part = image.part(affine, z_step_um(sample, image, manifest.z_step_um))
    outlines = _outlines(sample, folder)
    return SampleParts(
        reader=f"xenium {manifest.version}",
        image=part,
        points=_points(sample, folder, where),
        labels=None if outlines else labels_of(sample, part),
        polygons=open_outlines(outlines, sample.where) if outlines else None,
        labels_show="cells" if outlines and not shows_nuclei(outlines) else "nuclei",
        n_vendor_cells=_count_cells(folder, manifest),
        tested_on_real_files=False,
        notes=_notes(folder, manifest, image_path, image),
    )


def _image_path(folder: Path, manifest: Manifest, where: str) -> Path:
    if manifest.image is not None and (folder / manifest.image).is_file():
        return folder / manifest.image
    return _first(folder, IMAGES, f"{where} (analysis software {manifest.version})", "image")


def _first(folder: Path, patterns: Sequence[str], where: str, what: str) -> Path:
    """The first file there is of several alternatives."""
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise UserError(
        where=where,
        found=f"there is no {what}",
        do=f"copy one of these from the instrument's output: {', '.join(patterns)}",
    )


def _named(image: ImageDescription, path: Path) -> ImageDescription:
    """The image with the names of its stains, where the file names none of its channels."""
    unnamed = all(name.startswith("channel_") for name in image.channels)
    in_focus_folder = path.parent.name == "morphology_focus"
    if not unnamed or (image.shape[0] > len(STAINS)) or (image.shape[0] > 1 and not in_focus_folder):
        return image
    return replace(image, channels=STAINS[: image.shape[0]])


def _points(sample: Sample, folder: Path, where: str) -> PointsPart:
    path = sample.transcripts or _first(folder, TRANSCRIPTS, where, "table of transcripts")
    if path.name.endswith(".zarr.zip"):
        return open_zarr_points(path, where=sample.where)
    return open_points(path, where=sample.where, accepted=accepted_names(sample.columns))


def _outlines(sample: Sample, folder: Path) -> Path | None:
    """The table of outlines that the row names, or that of the cells in the folder."""
    if sample.labels is not None:
        return sample.labels if is_outlines(sample.labels) else None
    return next((folder / name for name in OUTLINES if (folder / name).is_file()), None)


def _count_cells(folder: Path, manifest: Manifest) -> int | None:
    """Number of the vendor's cells, from the manifest or from the table of cells."""
    if manifest.n_cells is not None:
        return manifest.n_cells
    for name in CELLS:
        path = folder / name
        try:
            if path.is_file() and path.suffix == ".parquet":
                return int(pq.read_metadata(path).num_rows)
            if path.is_file():
                return int(pyarrow.csv.read_csv(path).num_rows)
        except (pa.ArrowInvalid, OSError):
            continue
    return None


def _notes(folder: Path, manifest: Manifest, image_path: Path, image: ImageDescription) -> tuple[str, ...]:
    notes = [
        f"Xenium output, analysis software {manifest.software or 'not named'}; image {image_path.name} with "
        f"{', '.join(image.channels)}",
        "no real Xenium folder has tested this reader; the layout is that of the vendor's documentation",
    ]
    absent = [name for name in BOUNDARIES if not list(folder.glob(f"{name}.*"))]
    absent += [] if any((folder / name).is_file() for name in CELLS) else ["cells"]
    if absent:
        notes.append(
            f"the folder lacks the vendor's {', '.join(absent)}; only segmentation.method labels needs cell_boundaries"
        )
    said = image.pixel_size_um
    if said is not None and abs(said[1] / manifest.pixel_size_um - 1) > 0.01:
        notes.append(
            f"the image says {said[1]:g} um a pixel, {XENIUM_MANIFEST} {manifest.pixel_size_um:g} um, which is used"
        )
    return tuple(notes)
