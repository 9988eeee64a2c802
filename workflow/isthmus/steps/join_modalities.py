"""join_modalities: the modalities of a sample's cells, each a table of its own, in one file."""

from __future__ import annotations

from isthmus.steps.job import Job
from isthmus.steps.sheet import main_modality
from isthmus.tables.modalities import join_modalities as join


def join_modalities(job: Job) -> None:
    """Write cells.h5mu from the table after quality control."""
    paths = job.sample_paths
    join(paths.table, paths.modalities, main=main_modality(job.plan, job.sample))
