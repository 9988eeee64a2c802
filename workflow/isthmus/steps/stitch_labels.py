"""stitch_labels: final ids for all blocks, and empty arrays for the final label images."""

from __future__ import annotations

import shutil
from pathlib import Path

import zarr

from isthmus.blocks.grid import Triple
from isthmus.blocks.lookup import write_lookup
from isthmus.errors import UserError
from isthmus.image.ome_zarr import create_level
from isthmus.packs.journal import Journal
from isthmus.segment.methods import min_area_px
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import Lookup, keep_ids, label_dtype, stitch
from isthmus.steps.job import Job
from isthmus.steps.segment_pack import label_chunk
from isthmus.steps.sheet import settings_of

LABELS = ("nuclei", "cells")


def stitch_labels(job: Job) -> None:
    """Read the block records of pass 1, number the instances, prepare what pass 2 writes to."""
    lookup = _number(job)
    paths = job.sample_paths
    write_lookup(paths.lookup, lookup.ids, lookup.offsets)
    for name in LABELS:
        _prepare(paths.labels / name, job, lookup)
    job.n_files += 4
    job.write_record(
        paths.record("stitch_labels"), {"n_instances": lookup.n_instances, "max_id": lookup.max_id}
    )


def _number(job: Job) -> Lookup:
    grid, settings = job.sample.grid, settings_of(job.plan)
    journal = Journal(job.sample_paths.journal("segment_pack"), job.paths.root)
    entries = journal.finished(job.plan.digest("segment_pack", job.sample_name), look_at_files=False)
    missing = sorted(set(range(grid.n_blocks)) - set(entries))
    if missing:
        raise UserError(
            where=f"{job.sample_name}, segmentation",
            found=f"{len(missing)} of {grid.n_blocks} blocks are not done (first: {missing[0]})",
            do="run again with `isthmus run`, which repairs it",
        )
    records = {block: BlockRecord.from_bytes(journal.record(entry)) for block, entry in entries.items()}
    if settings.segmentation.method == "labels":
        return keep_ids(records, grid)
    smallest = min_area_px(
        settings.segmentation, spacing_um=job.sample.spacing_um, is_volume=grid.shape[0] > 1
    )
    return stitch(records, grid, min_area_px=smallest)


def _prepare(folder: Path, job: Job, lookup: Lookup) -> None:
    """An array to write to at `<folder>/0`; without OME metadata it cannot be opened until it is complete."""
    grid, dtype = job.sample.grid, label_dtype(lookup.max_id)
    shard: Triple = grid.block_px
    array = folder / "0"
    (folder / "zarr.json").unlink(missing_ok=True)
    if array.exists():
        try:
            old = zarr.open_array(array, mode="r")
            kept = (
                old.dtype == dtype
                and old.shards == shard[3 - old.ndim :]
                and old.attrs.get("cut") == list(shard)
            )
        except (OSError, ValueError):
            kept = False
        if kept:
            return
        shutil.rmtree(folder)
    level = create_level(array, shape=grid.shape, dtype=dtype, chunk=label_chunk(shard), shard=shard)
    level.array.attrs["cut"] = list(shard)
