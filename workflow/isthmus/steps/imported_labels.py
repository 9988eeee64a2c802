"""The labels that a sample imports: its label image, or the vendor's outlines painted as one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import filelock

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader, ImagePart
from isthmus.readers.registry import read_sample
from isthmus.segment.polygons import PolygonLabels, store_polygons
from isthmus.steps.job import Job
from isthmus.steps.sheet import sheet_sample

_DIGEST = "digest.txt"


def imported_labels(job: Job) -> ImagePart:
    """The labels, of the image's shape; outlines are put on disk by whichever job comes first."""
    sample = job.sample
    parts = read_sample(sheet_sample(sample))
    if parts.labels is not None:
        return parts.labels
    if parts.polygons is None:
        raise UserError(
            where=str(sample.sheet["where"]),
            found="segmentation.method is 'labels', but there are neither a label image nor outlines",
            do="fill column labels of the sample sheet",
        )
    folder, digest = job.sample_paths.polygons, job.plan.digest("segment_pack", job.sample_name)
    shape = sample.shape[1:]
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
