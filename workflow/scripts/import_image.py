"""Run the step import_image."""

from typing import TYPE_CHECKING

from isthmus.steps.import_image import import_image
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "import_image",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    import_image(job, workers=snakemake.threads)
