"""Run the step integrate_cohort."""

from typing import TYPE_CHECKING

from isthmus.steps.integrate_cohort import integrate_cohort
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "integrate_cohort",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    integrate_cohort(job)
