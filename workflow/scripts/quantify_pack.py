"""Run the step quantify_pack."""

from typing import TYPE_CHECKING

from isthmus.steps.job import Job
from isthmus.steps.quantify_pack import quantify_pack

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "quantify_pack",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
    pack=snakemake.wildcards.pack,
) as job:
    quantify_pack(job, workers=snakemake.threads)
