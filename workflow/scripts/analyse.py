"""Run the step analyse."""

from typing import TYPE_CHECKING

from isthmus.steps.analyse import analyse
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "analyse",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    analyse(job)
