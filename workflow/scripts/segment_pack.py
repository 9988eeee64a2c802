"""Run the step segment_pack."""

from typing import TYPE_CHECKING

from isthmus.steps.job import Job
from isthmus.steps.segment_pack import segment_pack

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "segment_pack",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
    pack=snakemake.wildcards.pack,
) as job:
    segment_pack(job, workers=snakemake.threads)
