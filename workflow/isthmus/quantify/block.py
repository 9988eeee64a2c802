"""Pass 2 of one block: final nuclei, cells, and the partial sums of everything measured in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.arrays import arrays_to_bytes
from isthmus.blocks.grid import Grid, Region
from isthmus.blocks.lookup import LookupFile
from isthmus.image.ome_zarr import Level
from isthmus.packs.runner import BlockResult
from isthmus.quantify.grow import grow, growth_halo_px
from isthmus.quantify.guide import Guide, grow_guided
from isthmus.quantify.measure import MEDIANS, Instances, Measures, image_margin_px, margin_px, measure
from isthmus.quantify.outline_record import outline_record
from isthmus.quantify.relabel import relabel, seen_labels
from isthmus.quantify.runs import runs_of_spans

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
    measures
        What is measured besides sums and shape.
    guide
        The channel that guides growth, if there is one.
    first_block
        Where the blocks of this image begin in the lookup table: a sample may have many images.
    plane
        Which plane of the binned transcripts this image is.
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
    measures: Measures = MEDIANS
    guide: Guide | None = None
    first_block: int = 0
    plane: int = 0

    @property
    def is_volume(self) -> bool:
        """Whether the image has more than one plane."""
        return self.grid.shape[0] > 1


def quantify_block(job: QuantifyJob, index: int) -> BlockResult:
    """Write one block of the final label images and measure what lies in it."""
    write = job.grid.block(index).write
    instances = _instances(job, index)
    cells, nuclei, ids = *instances.own, instances.ids
    files = tuple(
        _write_labels(path, write, labels, ids, job.is_volume)
        for path, labels in ((job.nuclei, nuclei), (job.cells, cells))
    )
    record = measure(instances, _channels(job, write), len(job.channels), job.measures)
    runs = runs_of_spans(instances.spans, instances.by_number[0], write=write)
    record |= outline_record(cells, ids, write=write, image_shape=job.grid.shape, runs=runs)
    if job.points is not None:
        # Imported here because images without transcripts need no Arrow.
        from isthmus.quantify.counts import count_points

        record |= count_points(
            job.points,
            write.moved((job.plane, 0, 0)),
            cells,
            nuclei,
            ids,
            n_features=job.n_features,
            min_qv=job.min_qv,
        )
    return BlockResult(arrays_to_bytes(record), files)


def _channels(job: QuantifyJob, write: Region) -> Iterator[npt.NDArray[Any]]:
    """Pixels of each measured channel, with the margin that measuring needs; each is read once."""
    image = Level.open(job.image, is_volume=job.is_volume, has_channels=True)
    region = write.grown(image_margin_px(job.is_volume, job.measures), job.grid.shape)
    for channel in job.channels:
        yield image.read(region, channel)


def _instances(job: QuantifyJob, index: int) -> Instances:
    """Nuclei and cells around a block; growth needs its reach beyond what is measured."""
    write, shape = job.grid.block(index).write, job.grid.shape
    halo = growth_halo_px(job.expand_um, job.spacing_um, is_volume=job.is_volume)
    read = write.grown(halo, shape).grown(margin_px(job.is_volume), shape)
    nuclei, ids, alone = _final_nuclei(job, index, read)
    cells = grow_cells(job, nuclei, read)
    return Instances(nuclei, cells, ids, alone, read, write, shape)


def grow_cells(job: QuantifyJob, nuclei: Int32, region: Region) -> Int32:
    """Cells of a region from its nuclei; right where the region holds `growth_halo_px` around."""
    growth: dict[str, Any] = {"expand_um": job.expand_um, "spacing_um": job.spacing_um}
    if job.guide is None:
        return grow(nuclei, **growth)
    image = Level.open(job.image, is_volume=job.is_volume, has_channels=True)
    pixels: npt.NDArray[Any] = image.read(region, job.guide.channel)
    return grow_guided(nuclei, pixels, job.guide, **growth)


def _final_nuclei(job: QuantifyJob, index: int, read: Region) -> tuple[Int32, Int64, npt.NDArray[np.bool_]]:
    """Nuclei of the read region as numbers 1..n in the order of their ids, the ids, and which this block has alone."""
    local = Level.open(job.local_labels, is_volume=job.is_volume, has_channels=False)
    lookup, parts = LookupFile(job.lookup), []
    for block in job.grid.overlapping(read):
        shared, final = block.write.intersection(read), lookup.ids(job.first_block + block.index)
        if shared is None or not final.any():
            continue
        labels = local.read(shared)
        if block.index != index:
            # Most of a neighbour's instances do not reach here, and room is made for every number.
            final[~seen_labels(labels, final.size)] = 0
        parts.append((block.index, shared, labels, final))
    ids = np.unique(np.concatenate([np.zeros(1, dtype=np.int64), *(final for *_, final in parts)]))[1:]
    alone = np.zeros(ids.size, dtype=bool)
    nuclei = np.zeros(read.shape, dtype=np.int32)
    for place, shared, labels, final in parts:
        kept = final > 0
        number = np.zeros(final.size + 1, dtype=np.int32)
        number[1:][kept] = np.searchsorted(ids, final[kept]) + 1
        relabel(labels, number, nuclei[shared.within(read)])
        if place == index:
            alone[number[1:][kept] - 1] = lookup.alone(job.first_block + index)[kept]
    return nuclei, ids, alone


def _write_labels(path: Path, write: Region, numbers: Int32, ids: Int64, is_volume: bool) -> Path:
    """Write a block's final labels; returns its shard, which is no file where there are none."""
    level = Level.open(path, is_volume=is_volume, has_channels=False, mode="r+")
    dtype = level.array.dtype
    final = np.concatenate([np.zeros(1, dtype=dtype), ids.astype(dtype)])
    level.write(write, relabel(numbers, final))
    return level.shard_file(write)
