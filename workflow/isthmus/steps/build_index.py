"""build_index: what reads are looked up in, from a genome and its genes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from isthmus.errors import UserError
from isthmus.reads.kb import Index, find_kb
from isthmus.reads.kb import build_index as build
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of

_SCRATCH = ".index."
INDEX, TRANSCRIPTS = "transcripts.idx", "transcripts_to_genes.tsv"


def index_in(folder: Path) -> Index:
    """The two files of an index in a folder."""
    return Index(folder / INDEX, folder / TRANSCRIPTS)


def build_index(job: Job) -> None:
    """Write the index that all samples' reads are looked up in."""
    options = settings_of(job.plan).quantification.reads
    if options.genome is None or options.genes is None:
        raise UserError(where="quantification.reads", found="there is no genome", do="give genome and genes")
    job.paths.index.mkdir(parents=True, exist_ok=True)
    for left in job.paths.cohort.glob(f"{_SCRATCH}*"):  # of a job that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=job.paths.cohort) as scratch:
        build(
            find_kb(),
            genome=options.genome,
            genes=options.genes,
            index=index_in(job.paths.index),
            scratch=Path(scratch),
        )
