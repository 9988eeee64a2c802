"""Run the step build_outlines."""

from typing import TYPE_CHECKING

from isthmus.steps.build_outlines import build_outlines
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "build_outlines",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    build_outlines(job)
