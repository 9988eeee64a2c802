"""annotate: cell types from a reference, which types lie side by side, and how samples and conditions differ."""

from __future__ import annotations

from isthmus.analyse.describe import annotate as annotate_cohort
from isthmus.config.use_cases import USE_CASES
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of


def annotate(job: Job) -> None:
    """Write the cohort's tables: cells, sums by sample and type, shares of types."""
    folder, options = job.paths.cohort, settings_of(job.plan).analysis
    annotate_cohort(
        folder / "analysed.h5ad",
        output=job.paths.cohort_table,
        neighbourhood_tsv=folder / "neighbourhood.tsv",
        pseudobulk_h5ad=job.paths.pseudobulk,
        composition_tsv=job.paths.composition,
        seed=options.seed,
        intensities=options.intensities.model_dump(),
        gating=options.gating.model_dump(),
        **options.annotation.model_dump(),
        **options.neighbourhood.model_dump(),
        **options.composition.model_dump(),
        spatial=options.spatial.model_dump(exclude={"structures_unit"}),
        structures_tsv=job.paths.structures,
        has_spillover=USE_CASES[settings_of(job.plan).use_case].x == "intensities",
    )
