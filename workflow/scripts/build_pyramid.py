"""Run the step build_pyramid."""

from typing import TYPE_CHECKING

from isthmus.steps.build_pyramid import build_pyramid
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "build_pyramid",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    build_pyramid(job, workers=snakemake.threads)
