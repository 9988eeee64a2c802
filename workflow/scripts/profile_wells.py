"""Run the step profile_wells."""

from typing import TYPE_CHECKING

from isthmus.steps.job import Job
from isthmus.steps.profile_wells import profile_wells

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "profile_wells",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    profile_wells(job)
