"""Run the step assess_quality."""

from typing import TYPE_CHECKING

from isthmus.steps.assess_quality import assess_quality
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "assess_quality",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    assess_quality(job)
