"""Run the step survey_image."""

from typing import TYPE_CHECKING

from isthmus.steps.job import Job
from isthmus.steps.survey_image import survey_image

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "survey_image",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    survey_image(job)
