"""segment_pack: pass 1 over the blocks of one pack."""

from __future__ import annotations

import logging
import shutil

import filelock
import numpy as np
import zarr

from isthmus.errors import UserError
from isthmus.image.ome_zarr import create_level
from isthmus.image.survey import ChannelSurvey
from isthmus.packs.journal import Journal
from isthmus.packs.runner import run_pack
from isthmus.readers.registry import read_sample
from isthmus.segment.block import LOCAL_DTYPE, ImportJob, SegmentJob, compute_function
from isthmus.segment.methods import make_method
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of, sheet_sample
from isthmus.steps.stored import as_record

log = logging.getLogger(__name__)


def segment_pack(job: Job, *, workers: int) -> None:
    """Segment the pack's blocks that the journal does not hold yet."""
    paths = job.sample_paths
    _prepare_labels(job)
    journal = Journal(paths.journal("segment_pack"), job.paths.root)
    summary = run_pack(
        compute_function(_block_job(job)),
        job.sample.blocks_of(job.pack),
        digest=job.digest,
        journal=journal,
        writer=job.pack,
        workers=workers,
        preload=("isthmus.segment.block", "isthmus.segment.warm"),
    )
    files = [file for entry in summary.entries.values() for file in entry.files]
    job.n_files += len(files) + 2
    job.write_record(
        paths.pack_record("segment_pack", job.pack),
        {"blocks": sorted(summary.entries), "shards": as_record(files)},
    )


def _block_job(job: Job) -> SegmentJob | ImportJob:
    sample, paths, settings = job.sample, job.sample_paths, settings_of(job.plan)
    if settings.segmentation.method == "labels":
        labels = read_sample(sheet_sample(sample)).labels
        if labels is None:
            raise UserError(
                where=str(sample.sheet["where"]),
                found="segmentation.method is 'labels', but there is no label image",
                do="fill column labels of the sample sheet",
            )
        return ImportJob(labels, sample.window, paths.local_labels, sample.grid)
    with np.load(paths.histograms) as stored:
        histograms = stored["histograms"]
    method = make_method(
        settings.segmentation,
        channels=sample.channels,
        surveys=[ChannelSurvey(histogram) for histogram in histograms],
        spacing_um=sample.spacing_um,
    )
    return SegmentJob(paths.image / "0", paths.local_labels, sample.grid, method)


def _prepare_labels(job: Job) -> None:
    """Make sure that the array of local labels is there and fits the blocks; packs may start together."""
    path, grid = job.sample_paths.local_labels, job.sample.grid
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        if path.exists():
            try:
                array = zarr.open_array(path, mode="r")
                shape = array.shards if grid.shape[0] > 1 else (1, *(array.shards or ()))
                fits = shape == grid.block_px and array.shape[-3:] == grid.shape[-len(array.shape) :]
            except (OSError, ValueError):
                fits = False
            if fits:
                return
            shutil.rmtree(path)
        create_level(
            path,
            shape=grid.shape,
            dtype=LOCAL_DTYPE,
            chunk=label_chunk(grid.block_px),
            shard=grid.block_px,
        )


def label_chunk(block_px: tuple[int, int, int]) -> tuple[int, int, int]:
    """Inner chunk of a label image: at most 256 pixels a side, so that a halo is read without its whole block."""
    z, y, x = (min(n, 256) for n in block_px)
    return (min(z, 32), y, x)
