"""quantify_pack: pass 2 over the blocks of one pack."""

from __future__ import annotations

from functools import partial

from isthmus.config.models import QuantificationOptions
from isthmus.errors import UserError, did_you_mean
from isthmus.packs.journal import Journal, WrittenFile
from isthmus.packs.runner import run_pack
from isthmus.quantify.block import QuantifyJob, quantify_block
from isthmus.quantify.measure import Measures
from isthmus.segment.stitch import label_dtype
from isthmus.steps.job import Job, read_json
from isthmus.steps.label_array import ensure_label_array
from isthmus.steps.sheet import settings_of
from isthmus.steps.stored import as_record

LABELS = ("nuclei", "cells")


def quantify_pack(job: Job, *, workers: int) -> None:
    """Quantify the pack's blocks that the journal does not hold yet."""
    paths = job.sample_paths
    dtype = label_dtype(read_json(paths.record("stitch_labels"))["max_id"])
    for name in LABELS:
        lock = paths.work / f"{name}.lock"
        ensure_label_array(paths.labels / name / "0", job.sample.grid, dtype, lock=lock, digest=job.digest)
    summary = run_pack(
        partial(quantify_block, quantify_job(job)),
        job.sample.blocks_of(job.pack),
        digest=job.digest,
        journal=Journal(paths.journal("quantify_pack"), job.paths.root),
        writer=job.pack,
        workers=workers,
        preload=("isthmus.quantify.block", "isthmus.quantify.warm"),
    )
    files = [file for entry in summary.entries.values() for file in entry.files]
    files += [WrittenFile.of(job.paths.root, paths.labels / name / "0" / "zarr.json") for name in LABELS]
    job.n_files += len(files) + 2
    job.write_record(
        paths.pack_record("quantify_pack", job.pack),
        {"blocks": sorted(summary.entries), "shards": as_record(files)},
    )


def measured_channels(channels: tuple[str, ...], wanted: tuple[str, ...] | None) -> tuple[int, ...]:
    """Indices of the channels to measure; None for all."""
    if wanted is None:
        return tuple(range(len(channels)))
    for name in wanted:
        if name not in channels:
            raise UserError(
                where="quantification.channels",
                found=f"the image has no channel '{name}' (it has {', '.join(channels)})",
                do=did_you_mean(name, channels),
            )
    return tuple(channels.index(name) for name in wanted)


def measures_of(options: QuantificationOptions) -> Measures:
    """What the options ask for."""
    return Measures(options.percentiles, options.texture)


def quantify_job(job: Job) -> QuantifyJob:
    """What pass 2 of any block of the job's sample needs."""
    sample, paths, settings = job.sample, job.sample_paths, settings_of(job.plan)
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
    )
