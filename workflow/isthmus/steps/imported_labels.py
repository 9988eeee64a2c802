"""The labels that a sample imports: its label image, or the vendor's outlines painted as one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import filelock

from isthmus.blocks.grid import Region
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader, ImagePart, SampleParts
from isthmus.readers.registry import read_sample
from isthmus.segment.polygons import PolygonLabels, store_polygons
from isthmus.steps.job import Job
from isthmus.steps.sheet import sheet_sample

_DIGEST = "digest.txt"


def imported_labels(job: Job) -> ImagePart:
    """The labels, of the shape of the image or of the stack; outlines are put on disk by whichever job comes first."""
    return _labels(job, read_sample(sheet_sample(job.sample)))


def imported_labels_of_many(job: Job) -> list[tuple[ImagePart, Region]]:
    """The labels of each image in use, and the part of them in use."""
    sample = job.sample
    parts = read_sample(sheet_sample(sample))
    if sample.layout == "planes":
        stack, window = _labels(job, parts), sample.window
        return [(stack, window.moved((k, 0, 0))) for k in range(sample.n_images)]
    found = {image.path: image.labels for image in parts.images}
    made = []
    for image in sample.images:
        labels = found.get(image.path)
        if labels is None:
            raise UserError(
                where=str(sample.sheet["where"]),
                found=f"there is no label image of image {image.name}",
                do="fill column labels of the sample sheet",
            )
        made.append((labels, Region((0, 0, 0), image.shape).moved(image.start)))
    return made


def _labels(job: Job, parts: SampleParts) -> ImagePart:
    sample = job.sample
    if parts.labels is not None:
        return parts.labels
    if parts.polygons is None:
        raise UserError(
            where=str(sample.sheet["where"]),
            found="segmentation.method is 'labels', but there are neither a label image nor outlines",
            do="fill column labels of the sample sheet",
        )
    folder, digest = job.sample_paths.polygons, job.plan.digest("segment_pack", job.sample_name)
    shape = sample.points_shape
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_suffix(".lock")):
        if _digest_of(folder) != digest:
            store_polygons(
                parts.polygons,
                folder,
                affine=Affine(*sample.affine),
                shape=shape,
                where=f"{sample.sheet['where']}, vendor's outlines",
            )
            (folder / _DIGEST).write_text(digest)
    header = ImageHeader((1, *shape), "int64", ("labels",), Affine(*sample.affine), sample.z_step_um)
    return ImagePart(header, partial(PolygonLabels, folder), parts.polygons.files)


def _digest_of(folder: Path) -> str:
    """What the outlines on disk belong to; empty where there are none."""
    try:
        return (folder / _DIGEST).read_text()
    except OSError:
        return ""
