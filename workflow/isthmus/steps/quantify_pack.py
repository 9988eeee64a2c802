"""quantify_pack: pass 2 over the blocks of one pack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from isthmus.config.models import GuideOptions, QuantificationOptions
from isthmus.image.channels import find_channel
from isthmus.image.survey import ChannelSurvey
from isthmus.packs.journal import Journal, WrittenFile
from isthmus.packs.runner import BlockResult, run_pack
from isthmus.packs.stop import Stop
from isthmus.quantify.block import QuantifyJob, quantify_block
from isthmus.quantify.guide import Guide
from isthmus.quantify.many import ManyQuantifyJob, quantify_block_of_many
from isthmus.quantify.measure import Measures
from isthmus.segment.stitch import label_dtype
from isthmus.steps.job import Job, read_json
from isthmus.steps.label_array import ensure_label_array, ensure_label_arrays
from isthmus.steps.sheet import settings_of
from isthmus.steps.stored import as_record

LABELS = ("nuclei", "cells")


def quantify_pack(job: Job, *, workers: int) -> None:
    """Quantify the pack's blocks that the journal does not hold yet."""
    paths = job.sample_paths
    dtype = label_dtype(read_json(paths.record("stitch_labels"))["max_id"])
    arrays = _ensure_labels(job, dtype)
    with Stop.from_environment().heeding_signals() as stop:
        summary = run_pack(
            _function(job),
            job.sample.blocks_of(job.pack),
            digest=job.digest,
            journal=Journal(paths.journal("quantify_pack"), job.paths.root),
            writer=job.pack,
            workers=job.workers(workers),
            preload=("isthmus.quantify.block", "isthmus.quantify.warm"),
            place=job.sample.place_of,
            stop=stop,
        )
    files = [file for entry in summary.entries.values() for file in entry.files]
    files += [WrittenFile.of(job.paths.root, array / "zarr.json") for array in arrays]
    job.n_files += len(files) + 2
    job.write_record(
        paths.pack_record("quantify_pack", job.pack),
        {"blocks": sorted(summary.entries), "shards": as_record(files)},
    )


def _ensure_labels(job: Job, dtype: np.dtype[np.unsignedinteger]) -> list[Path]:
    """The label images that the pack writes to."""
    sample, paths = job.sample, job.sample_paths
    images = sample.stack.images_of(sample.blocks_of(job.pack))
    arrays: list[Path] = []
    for name in LABELS:
        lock = paths.work / f"{name}.lock"
        made = {
            paths.labels_at(sample.image_paths[i]) / name / "0": sample.stack.grid(i).shape for i in images
        }
        if sample.images:
            ensure_label_arrays(made, sample.block_px, dtype, lock=lock, digest=job.digest)
        else:
            ensure_label_array(next(iter(made)), sample.grid, dtype, lock=lock, digest=job.digest)
        arrays += made
    return arrays


def _function(job: Job) -> Callable[[int], BlockResult]:
    """What a worker does with a block's index."""
    if job.sample.images:
        return partial(quantify_block_of_many, many_quantify_job(job))
    return partial(quantify_block, quantify_job(job))


def many_quantify_job(job: Job) -> ManyQuantifyJob:
    """What pass 2 of any block of any image of the job's sample needs."""
    made = replace(quantify_job(job), image=job.sample_paths.image)
    sample = job.sample
    return ManyQuantifyJob(made, sample.stack, sample.image_paths, are_planes=sample.layout == "planes")


def measured_channels(channels: tuple[str, ...], wanted: tuple[str, ...] | None) -> tuple[int, ...]:
    """Indices of the channels to measure; None for all."""
    if wanted is None:
        return tuple(range(len(channels)))
    return tuple(find_channel("quantification.channels", name, channels) for name in wanted)


def guide_channel(channels: tuple[str, ...], options: GuideOptions) -> int | None:
    """Index of the channel that guides growth; None for none."""
    if options.channel is None:
        return None
    return find_channel("cells.guide.channel", options.channel, channels)


def measures_of(options: QuantificationOptions) -> Measures:
    """What the options ask for."""
    return Measures(options.percentiles, options.texture)


def _guide(job: Job) -> Guide | None:
    """The channel that guides growth: dark is its background, bright what one pixel in a hundred passes."""
    options = settings_of(job.plan, job.sample).cells.guide
    channel = guide_channel(job.sample.channels, options)
    if channel is None:
        return None
    with np.load(job.sample_paths.histograms) as stored:
        survey = ChannelSurvey(stored["histograms"][channel])
    weight_milli = round(1000 * options.weight)
    return Guide(channel, options.kind, weight_milli, dark=survey.background(), bright=survey.percentile(99))


def quantify_job(job: Job) -> QuantifyJob:
    """What pass 2 of any block of the job's sample needs."""
    sample, paths, settings = job.sample, job.sample_paths, settings_of(job.plan, job.sample)
    n_features = 0
    if sample.has_points:
        n_features = len(read_json(paths.record("import_transcripts"))["genes"])
    return QuantifyJob(
        image=paths.image / "0",
        local_labels=paths.local_labels,
        lookup=paths.lookup,
        nuclei=paths.labels / "nuclei" / "0",
        cells=paths.labels / "cells" / "0",
        points=paths.points if sample.has_points else None,
        grid=sample.grid,
        channels=measured_channels(sample.channels, settings.quantification.channels),
        expand_um=settings.cells.expand_um,
        spacing_um=sample.spacing_um,
        n_features=n_features,
        min_qv=settings.quantification.min_qv,
        measures=measures_of(settings.quantification),
        guide=_guide(job),
    )
