"""Which image of a sample each cell lies in, from the places of the roots."""

from __future__ import annotations

import numpy as np

from isthmus.blocks.lookup import read_roots
from isthmus.steps.job import Job
from isthmus.tables.images import CellImages


def cell_images(job: Job) -> CellImages | None:
    """The images of a sample that has many, with the ids of their cells; None for a sample of one image."""
    sample = job.sample
    if not sample.images:
        return None
    first = np.searchsorted(read_roots(job.sample_paths.lookup), sample.stack.first_pixels())
    return CellImages(
        first_ids=first.astype(np.int64) + 1,
        names=tuple(image.name for image in sample.images),
        affines=tuple(sample.affine_of(image) for image in range(sample.n_images)),
        columns=tuple(image.columns for image in sample.images),
    )
