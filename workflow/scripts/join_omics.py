"""Run the step join_omics."""

from typing import TYPE_CHECKING

from isthmus.steps.job import Job
from isthmus.steps.join_omics import join_omics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "join_omics",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    join_omics(job)
