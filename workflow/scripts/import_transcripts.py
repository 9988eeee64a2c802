"""Run the step import_transcripts."""

from typing import TYPE_CHECKING

from isthmus.steps.import_transcripts import import_transcripts
from isthmus.steps.job import Job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with Job(
    "import_transcripts",
    results=snakemake.params.results,
    log_file=snakemake.log[0],
    outputs=snakemake.output,
    sample=snakemake.wildcards.sample,
) as job:
    import_transcripts(job)
