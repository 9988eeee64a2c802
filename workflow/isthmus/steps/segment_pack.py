"""segment_pack: pass 1 over the blocks of one pack."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from isthmus.config.segmentation import needs_gpu
from isthmus.errors import UserError
from isthmus.image.survey import ChannelSurvey
from isthmus.packs.devices import Device, devices_of
from isthmus.packs.journal import Journal
from isthmus.packs.runner import BlockResult, run_pack
from isthmus.packs.stop import Stop
from isthmus.segment.block import LOCAL_DTYPE, ImportJob, SegmentJob, compute_function
from isthmus.segment.many import (
    ManyImportJob,
    ManySegmentJob,
    import_block_of_many,
    segment_block_of_many,
)
from isthmus.segment.methods import make_method
from isthmus.steps.imported_labels import imported_labels, imported_labels_of_many
from isthmus.steps.job import Job
from isthmus.steps.label_array import ensure_label_array, ensure_label_arrays
from isthmus.steps.sheet import settings_of
from isthmus.steps.stored import as_record
from isthmus.steps.survey_image import with_measured_diameter

log = logging.getLogger(__name__)


def segment_pack(job: Job, *, workers: int) -> None:
    """Segment the pack's blocks that the journal does not hold yet."""
    paths = job.sample_paths
    _ensure_labels(job)
    journal = Journal(paths.journal("segment_pack"), job.paths.root)
    with Stop.from_environment().heeding_signals() as stop:
        summary = run_pack(
            _function(job),
            job.sample.blocks_of(job.pack),
            digest=job.digest,
            journal=journal,
            writer=job.pack,
            workers=job.workers(workers),
            preload=("isthmus.segment.block", "isthmus.segment.warm"),
            devices=devices_for(settings_of(job.plan, job.sample).segmentation.method),
            place=job.sample.place_of,
            stop=stop,
        )
    files = [file for entry in summary.entries.values() for file in entry.files]
    job.n_files += len(files) + 2
    job.write_record(
        paths.pack_record("segment_pack", job.pack),
        {"blocks": sorted(summary.entries), "shards": as_record(files)},
    )


def _ensure_labels(job: Job) -> None:
    sample, paths = job.sample, job.sample_paths
    lock = paths.work / "local_labels.lock"
    if not sample.images:
        ensure_label_array(
            paths.local_labels, sample.grid, LOCAL_DTYPE, lock=lock, digest=job.digest, stays=False
        )
        return
    shapes = {
        paths.local_labels / str(image): sample.images[image].shape
        for image in sample.stack.images_of(sample.blocks_of(job.pack))
    }
    ensure_label_arrays(shapes, sample.block_px, LOCAL_DTYPE, lock=lock, digest=job.digest, stays=False)


def _function(job: Job) -> Callable[[int], BlockResult]:
    """What a worker does with a block's index."""
    if job.sample.images:
        many = many_segment_job(job)
        if isinstance(many, ManyImportJob):
            return partial(import_block_of_many, many)
        return partial(segment_block_of_many, many)
    return compute_function(segment_job(job))


def many_segment_job(job: Job) -> ManySegmentJob | ManyImportJob:
    """What pass 1 of any block of any image of the job's sample needs."""
    sample = job.sample
    if settings_of(job.plan, sample).segmentation.method == "labels":
        labels = imported_labels_of_many(job)
        return ManyImportJob(
            tuple(part for part, _ in labels),
            tuple(window for _, window in labels),
            tuple(image.name for image in sample.images),
            job.sample_paths.local_labels,
            sample.stack,
            f"{sample.sheet['where']}, column labels",
        )
    made = segment_job(job)
    assert isinstance(made, SegmentJob)
    made = replace(made, image=job.sample_paths.image)
    return ManySegmentJob(made, sample.stack, sample.image_paths)


def devices_for(method: str) -> tuple[Device, ...]:
    """The devices of this job, one for each worker, for a method that needs them; none for others."""
    if not needs_gpu(method):
        return ()
    devices = devices_of(os.environ)
    if not devices:
        raise UserError(
            where="segment_pack",
            found=f"the method '{method}' needs a GPU, and this job was given none",
            do="take a profile of GPU nodes (profiles/README.md), or name the device in CUDA_VISIBLE_DEVICES",
        )
    return devices


def segment_job(job: Job) -> SegmentJob | ImportJob:
    """What pass 1 of any block of the job's sample needs."""
    sample, paths, settings = job.sample, job.sample_paths, settings_of(job.plan, job.sample)
    if settings.segmentation.method == "labels":
        where = f"{sample.sheet['where']}, column labels"
        return ImportJob(imported_labels(job), sample.window, paths.local_labels, sample.grid, where)
    with np.load(paths.histograms) as stored:
        histograms = stored["histograms"]
    survey = json.loads(paths.survey.read_text(encoding="utf-8"))
    method = make_method(
        with_measured_diameter(settings.segmentation, survey),
        channels=sample.channels,
        surveys=[ChannelSurvey(histogram) for histogram in histograms],
        spacing_um=sample.spacing_um,
    )
    return SegmentJob(paths.image / "0", paths.local_labels, sample.grid, method)
