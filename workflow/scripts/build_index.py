"""Run the step build_index."""

from typing import TYPE_CHECKING

from isthmus.steps.build_index import build_index
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "build_index",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    build_index(job)
