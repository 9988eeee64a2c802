"""Run the step annotate."""

from typing import TYPE_CHECKING

from isthmus.steps.annotate import annotate
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "annotate",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    annotate(job)
