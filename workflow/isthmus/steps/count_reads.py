"""count_reads: FASTQ files of dissociated cells to a matrix folder of 10x Genomics."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from isthmus.config.reads import ReadsOptions
from isthmus.errors import UserError
from isthmus.reads.fastq import count_records, find_pairs
from isthmus.reads.kb import Index, count_molecules, find_kb
from isthmus.reads.matrix import convert
from isthmus.steps.build_index import index_in
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of, sheet_sample

_SCRATCH = ".reads."


def count_reads(job: Job) -> None:
    """Write the sample's matrix, and how many reads and molecules there were."""
    paths, sample = job.sample_paths, sheet_sample(job.sample)
    options = settings_of(job.plan).quantification.reads
    if sample.reads is None:
        raise UserError(where=sample.where, found="there are no reads", do="fill column reads")
    pairs = find_pairs(sample.reads, where=sample.where)
    count_records(pairs, where=sample.where)
    paths.work.mkdir(parents=True, exist_ok=True)
    for left in paths.work.glob(f"{_SCRATCH}*"):  # of a job that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=paths.work) as scratch:
        made = count_molecules(
            find_kb(), pairs, options, _index(job, options), scratch=Path(scratch), where=sample.where
        )
        counted = convert(
            made, paths.counted_reads, min_molecules=options.min_molecules, where=f"{sample.where}, reads"
        )
    job.write_record(paths.record("count_reads"), asdict(counted))


def _index(job: Job, options: ReadsOptions) -> Index:
    if options.index is None or options.transcripts_to_genes is None:
        return index_in(job.paths.index)
    return Index(options.index, options.transcripts_to_genes)
