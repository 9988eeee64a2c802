"""Run the step stitch_labels."""

from typing import TYPE_CHECKING

from isthmus.steps.job import Job
from isthmus.steps.stitch_labels import stitch_labels

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "stitch_labels",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    stitch_labels(job)
