"""Run the step count_reads."""

from typing import TYPE_CHECKING

from isthmus.steps.count_reads import count_reads
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "count_reads",
    results=snakemake.params.results,
    sample=snakemake.wildcards.sample,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    count_reads(job)
