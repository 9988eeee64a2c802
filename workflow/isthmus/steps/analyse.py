"""analyse: normalise and reduce the cohort, bring batches together, cluster; list marker genes."""

from __future__ import annotations

from isthmus.analyse.steps import analyse as analyse_cohort
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of


def analyse(job: Job) -> None:
    """Write the clustered table and the table of markers."""
    folder, options = job.paths.cohort, settings_of(job.plan).analysis
    analyse_cohort(
        folder / "joined.h5ad",
        folder / "analysed.h5ad",
        folder / "markers.tsv",
        seed=options.seed,
        intensities=options.intensities.model_dump(),
        **options.clustering.model_dump(),
        **options.integration.model_dump(),
    )
