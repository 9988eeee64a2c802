"""Run the step import_counts."""

from typing import TYPE_CHECKING

from isthmus.steps.import_counts import import_counts
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "import_counts",
    results=snakemake.params.results,
    sample=snakemake.wildcards.sample,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
) as job:
    import_counts(job)
