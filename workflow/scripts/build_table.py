"""Run the step build_table."""

from typing import TYPE_CHECKING

from isthmus.steps.build_table import build_table
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "build_table",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    build_table(job)
