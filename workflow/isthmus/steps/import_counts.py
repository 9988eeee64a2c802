"""import_counts: a table of counts without an image, as a table of cells."""

from __future__ import annotations

from isthmus import __version__
from isthmus.analyse.import_counts import import_counts as make_table
from isthmus.errors import UserError
from isthmus.steps.job import Job
from isthmus.steps.sheet import sheet_columns, sheet_sample


def import_counts(job: Job) -> None:
    """Write the sample's table before quality control, and its numbers."""
    paths, sample = job.sample_paths, sheet_sample(job.sample)
    counts = paths.counted_reads if sample.reads is not None else sample.counts
    given = sample.reads or sample.counts
    if counts is None or given is None:
        raise UserError(where=sample.where, found="there is no table of counts", do="fill column counts")
    numbers = make_table(
        counts,
        paths.counted_table,
        sample=job.sample_name,
        columns=sheet_columns(job.sample),
        record={"version": __version__, "digest": job.digest, "counts": given.name},
    )
    job.write_record(paths.record("import_counts"), numbers)
