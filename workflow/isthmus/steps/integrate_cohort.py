"""integrate_cohort: the passing cells of all samples in one table."""

from __future__ import annotations

from isthmus.analyse.steps import integrate_cohort as integrate
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of


def integrate_cohort(job: Job) -> None:
    """Join the samples' tables."""
    tables = [job.paths.sample(name).table for name in job.plan.samples]
    integrate(
        tables,
        job.paths.cohort / "joined.h5ad",
        sample_names=list(job.plan.samples),
        segmentation=settings_of(job.plan).segmentation.method,
    )
