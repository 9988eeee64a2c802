"""Run the step analyse_omics."""

from typing import TYPE_CHECKING

from isthmus.steps.analyse_omics import analyse_omics
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "analyse_omics",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    analyse_omics(job)
