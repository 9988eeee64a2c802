"""Pass 1 of one block: pixels with halo to local labels and a block record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.blocks.grid import Grid, Region
from isthmus.image.ome_zarr import Level
from isthmus.packs.runner import BlockResult
from isthmus.segment.forest import grow_forest, margin_px
from isthmus.segment.imported import check_ids
from isthmus.segment.method import LandscapeMethod, read_region
from isthmus.segment.record import BlockRecord, make_record

if TYPE_CHECKING:  # its other half, transcripts, would cost each worker a third of a second
    from isthmus.image.source import ImagePart

LOCAL_DTYPE = np.dtype(np.uint32)


@dataclass(frozen=True)
class SegmentJob:
    """What a worker needs to segment any block of a sample.

    image, local_labels
        Arrays to read from and to write to.
    method
        The landscape method.
    """

    image: Path
    local_labels: Path
    grid: Grid
    method: LandscapeMethod


@dataclass(frozen=True)
class ImportJob:
    """What a worker needs to import any block of an existing label image.

    `window` is the part of it in use, `where` what it is called in errors.
    """

    labels: ImagePart
    window: Region
    local_labels: Path
    grid: Grid
    where: str = "label image"


def segment_block(job: SegmentJob, index: int) -> BlockResult:
    """Segment one block, write its local labels and summarise them."""
    is_volume = job.grid.shape[0] > 1
    write = job.grid.block(index).write
    read = read_region(job.method, write, job.grid.shape)
    level = Level.open(job.image, is_volume=is_volume, has_channels=True)
    pixels = level.read(read, job.method.channel).astype(np.uint16, copy=False)
    labels, roots, exits = grow_forest(
        job.method.landscape(pixels),
        read=read,
        write=write,
        image_shape=job.grid.shape,
        merge_radius_px=job.method.merge_radius_px,
    )
    record = make_record(labels, roots, exits, ring_px=margin_px(is_volume, job.method.merge_radius_px))
    return _write(job.local_labels, job.grid, write, labels, record)


def import_block(job: ImportJob, index: int) -> BlockResult:
    """Import one block of an existing label image; the record's roots are the ids. UserError if an id is below 0."""
    write = job.grid.block(index).write
    pixels = read_imported(job, write)
    check_ids(pixels, _source(job, write).start, job.where)
    ids, labels = np.unique(pixels, return_inverse=True)
    labels = labels.reshape(pixels.shape).astype(np.int32)
    if ids.size and ids[0] == 0:
        ids = ids[1:]
    else:
        labels += 1
    none = np.empty(0, dtype=np.int64)
    record = make_record(labels, ids.astype(np.int64), none, ring_px=(0, 0, 0))
    return _write(job.local_labels, job.grid, write, labels, record)


def read_imported(job: ImportJob, region: Region) -> np.typing.NDArray[np.generic]:
    """The imported ids (z, y, x) of a region of the part in use."""
    return job.labels.open().read(0, _source(job, region).slices)


def _source(job: ImportJob, region: Region) -> Region:
    """Where a region of the part in use lies in the label image."""
    return region.moved(job.window.start)


def compute_function(job: SegmentJob | ImportJob) -> partial[BlockResult]:
    """The picklable function of a block's index."""
    if isinstance(job, SegmentJob):
        return partial(segment_block, job)
    return partial(import_block, job)


def _write(
    path: Path, grid: Grid, write: Region, labels: np.typing.NDArray[np.int32], record: BlockRecord
) -> BlockResult:
    """Write a block's local labels; for a block without any there is no file (background is the fill value)."""
    level = Level.open(path, is_volume=grid.shape[0] > 1, has_channels=False, mode="r+")
    level.write(write, labels.view(LOCAL_DTYPE))
    return BlockResult(record.to_bytes(), (level.shard_file(write),))
