"""Pass 2 of one block: final nuclei, cells, and the partial sums of everything measured in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.blocks.arrays import arrays_to_bytes
from isthmus.blocks.grid import Grid, Region
from isthmus.blocks.lookup import LookupFile
from isthmus.image.ome_zarr import Level
from isthmus.packs.runner import BlockResult
from isthmus.quantify.grow import grow, growth_halo_px
from isthmus.quantify.outline_record import outline_record
from isthmus.quantify.sums import PartialSums, add_channel, add_geometry, empty_sums

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class QuantifyJob:
    """What a worker needs to quantify any block of a sample.

    image, local_labels, lookup
        What pass 1 and stitching left.
    nuclei, cells
        Level 0 of the final label images, to be written.
    points
        Folder of binned transcripts, if there are any.
    channels
        Indices of the channels to measure.
    expand_um, spacing_um
        Growth, and pixel spacing (z, y, x).
    min_qv
        Transcripts below are counted apart.
    """

    image: Path
    local_labels: Path
    lookup: Path
    nuclei: Path
    cells: Path
    points: Path | None
    grid: Grid
    channels: tuple[int, ...]
    expand_um: float
    spacing_um: tuple[float, float, float]
    n_features: int
    min_qv: float


def quantify_block(job: QuantifyJob, index: int) -> BlockResult:
    """Write one block of the final label images and sum up what lies in it."""
    is_volume = job.grid.shape[0] > 1
    write = job.grid.block(index).write
    halo = growth_halo_px(job.expand_um, job.spacing_um, is_volume=is_volume)
    read = write.grown(halo, job.grid.shape)
    nuclei, ids = _final_nuclei(job, read)
    inner = write.within(read)
    cells = np.ascontiguousarray(grow(nuclei, expand_um=job.expand_um, spacing_um=job.spacing_um)[inner])
    nuclei = np.ascontiguousarray(nuclei[inner])
    files = tuple(
        _write_labels(path, write, labels, ids, is_volume)
        for path, labels in ((job.nuclei, nuclei), (job.cells, cells))
    )
    sums = empty_sums(ids.size, len(job.channels))
    add_geometry(sums, cells, nuclei, write=write, image_shape=job.grid.shape)
    image = Level.open(job.image, is_volume=is_volume, has_channels=True)
    for place, channel in enumerate(job.channels):
        add_channel(sums, place, np.ascontiguousarray(image.read(write, channel)), cells, nuclei)
    record = _compact(sums, ids)
    record |= outline_record(cells, ids, write=write, image_shape=job.grid.shape)
    if job.points is not None:
        # Imported here because images without transcripts need no Arrow.
        from isthmus.quantify.counts import count_points

        record |= count_points(
            job.points, write, cells, nuclei, ids, n_features=job.n_features, min_qv=job.min_qv
        )
    return BlockResult(arrays_to_bytes(record), files)


def _final_nuclei(job: QuantifyJob, read: Region) -> tuple[Int32, Int64]:
    """Nuclei of the read region as numbers 1..n in the order of their ids, and the ids."""
    local = Level.open(job.local_labels, is_volume=job.grid.shape[0] > 1, has_channels=False)
    lookup = LookupFile(job.lookup)
    blocks = [
        (block.write.intersection(read), lookup.ids(block.index)) for block in job.grid.overlapping(read)
    ]
    ids = np.unique(np.concatenate([final for _, final in blocks]))
    ids = ids[ids > 0]
    nuclei = np.zeros(read.shape, dtype=np.int32)
    for shared, final in blocks:
        if shared is None or not final.any():
            continue
        number = np.zeros(final.size + 1, dtype=np.int32)
        kept = final > 0
        number[1:][kept] = np.searchsorted(ids, final[kept]) + 1
        nuclei[shared.within(read)] = number[local.read(shared)]
    return nuclei, ids


def _write_labels(path: Path, write: Region, numbers: Int32, ids: Int64, is_volume: bool) -> Path:
    """Write a block's final labels; returns its shard, which is no file where there are none."""
    level = Level.open(path, is_volume=is_volume, has_channels=False, mode="r+")
    dtype = level.array.dtype
    final = np.concatenate([np.zeros(1, dtype=dtype), ids.astype(dtype)])
    level.write(write, final[numbers])
    return level.shard_file(write)


def _compact(sums: PartialSums, ids: Int64) -> dict[str, npt.NDArray[np.generic]]:
    """The sums of the instances that have pixels in this block."""
    present = sums.shape[:, :, 0].sum(axis=1) > 0
    return {
        "ids": ids[present],
        "shape": sums.shape[present],
        "bounds": sums.bounds[present],
        "flags": sums.flags[present],
        "intensity": sums.intensity[present],
        "extremes": sums.extremes[present],
    }
