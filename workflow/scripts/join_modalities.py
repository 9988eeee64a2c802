"""Run the step join_modalities."""

from typing import TYPE_CHECKING

from isthmus.steps.job import Job
from isthmus.steps.join_modalities import join_modalities

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "join_modalities",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    join_modalities(job)
