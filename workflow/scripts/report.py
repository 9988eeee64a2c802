"""Run the step report."""

from typing import TYPE_CHECKING

from isthmus.steps.job import Job
from isthmus.steps.report import report

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "report",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    report(job)
