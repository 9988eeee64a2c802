"""integrate_cohort: the passing cells of all samples in one table; segmentations of one image are compared."""

from __future__ import annotations

from isthmus.analyse.steps import integrate_cohort as integrate
from isthmus.steps.compare_segmentations import compare_segmentations
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of


def integrate_cohort(job: Job) -> None:
    """Join the samples' tables; of samples with one image the first."""
    compare_segmentations(job)
    names = job.plan.cohort_samples
    rows = [(job.paths.sample(name), job.plan.sample(name).has_spots) for name in names]
    integrate(
        [of.spots if has_spots else of.table for of, has_spots in rows],
        job.paths.cohort / "joined.h5ad",
        sample_names=names,
        segmentation=settings_of(job.plan, job.plan.sample(names[0])).segmentation.method,
    )
