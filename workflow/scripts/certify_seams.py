"""Run the step certify_seams."""

from typing import TYPE_CHECKING

from isthmus.steps.certify_seams import certify_seams
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "certify_seams",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    certify_seams(job)
