"""Both passes over a small image in a folder, block by block in this process, as the jobs do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.arrays import arrays_from_bytes
from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.blocks.lookup import write_lookup
from isthmus.image.ome_zarr import Level, create_level
from isthmus.quantify.block import QuantifyJob, quantify_block
from isthmus.quantify.guide import Guide
from isthmus.quantify.measure import MEDIANS, Measures
from isthmus.segment.block import LOCAL_DTYPE, SegmentJob, segment_block
from isthmus.segment.forest import margin_px
from isthmus.segment.method import Landscape, LandscapeMethod, Pixels
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import Lookup, label_dtype, stitch
from isthmus.tables.complete import Completed, complete_cells
from isthmus.tables.counts import MergedCounts, merge_counts
from isthmus.tables.merge import CellSums, merge_sums


@dataclass(frozen=True)
class PixelsAreLandscape:
    """The simplest method: the pixels above a level are the landscape."""

    merge_radius_px: tuple[float, float, float] = (0.0, 2.0, 2.0)
    above: int = 0
    channel: int = 0
    is_volume: bool = False
    lattice_px: Triple = (1, 1, 1)

    @property
    def halo_px(self) -> Triple:
        """What pointers may reach."""
        return margin_px(self.is_volume, self.merge_radius_px)

    def landscape(self, pixels: Pixels) -> Landscape:
        """The pixels above the level."""
        return np.where(pixels > self.above, pixels, 0).astype(np.uint16)


@dataclass(frozen=True)
class Finished:
    """What both passes left: final label images (z, y, x), merged sums and counts, and the records of all blocks.

    Features stay in the order of their codes. `records` are in the order of the blocks.
    """

    nuclei: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int64]
    lookup: Lookup
    sums: CellSums
    completed: Completed
    counts: MergedCounts
    records: list[dict[str, npt.NDArray[Any]]]
    segment: SegmentJob
    quantify: QuantifyJob


def store_image(path: Path, pixels: npt.NDArray[np.generic]) -> None:
    """Write an image (c, z, y, x) as one shard a channel."""
    shape: Triple = pixels.shape[1:]  # type: ignore[assignment]
    level = create_level(
        path, shape=shape, dtype=pixels.dtype, chunk=shape, shard=shape, n_channels=len(pixels)
    )
    for channel, plane in enumerate(pixels):
        level.write(Region((0, 0, 0), shape), plane, channel)


def run_blocks(
    folder: Path,
    pixels: npt.NDArray[np.generic],
    block_px: Triple,
    *,
    method: LandscapeMethod,
    min_area_px: int = 1,
    expand_um: float = 2.0,
    spacing_um: tuple[float, float, float] = (1.0, 1.0, 1.0),
    points: Path | None = None,
    n_features: int = 0,
    min_qv: float = 20.0,
    channels: Sequence[int] | None = None,
    measures: Measures = MEDIANS,
    guide: Guide | None = None,
) -> Finished:
    """Segment, stitch and quantify an image (c, z, y, x) in blocks of this size."""
    grid = Grid(pixels.shape[1:], block_px)  # type: ignore[arg-type]
    store_image(folder / "image", pixels)
    empty_labels(folder / "local", grid, LOCAL_DTYPE)
    job = SegmentJob(folder / "image", folder / "local", grid, method)
    results = {index: segment_block(job, index) for index in range(grid.n_blocks)}
    blocks = {index: BlockRecord.from_bytes(result.record) for index, result in results.items()}
    lookup = stitch(blocks, grid, min_area_px=min_area_px)
    write_lookup(folder / "lookup", lookup.ids, lookup.offsets, lookup.roots)
    for name in ("nuclei", "cells"):
        empty_labels(folder / name, grid, label_dtype(lookup.max_id))
    quantify = quantify_job(
        folder,
        grid,
        points=points,
        channels=tuple(range(len(pixels)) if channels is None else channels),
        expand_um=expand_um,
        spacing_um=spacing_um,
        n_features=n_features,
        min_qv=min_qv,
        measures=measures,
        guide=guide,
    )
    found = {i: arrays_from_bytes(quantify_block(quantify, i).record) for i in reversed(range(grid.n_blocks))}
    sums = merge_sums(list(found.values()))
    counted = list(found.values()) if points is not None else []
    counts = merge_counts(counted, ids=sums.ids, place=np.arange(n_features, dtype=np.int32))
    return Finished(
        read_labels(folder / "nuclei", grid),
        read_labels(folder / "cells", grid),
        lookup,
        sums,
        complete_cells(list(found.values()), sums.ids, measures),
        counts,
        [found[i] for i in range(grid.n_blocks)],
        job,
        quantify,
    )


def read_labels(path: Path, grid: Grid) -> npt.NDArray[np.int64]:
    """A whole label image (z, y, x)."""
    level = Level.open(path, is_volume=grid.shape[0] > 1, has_channels=False)
    return level.read(Region((0, 0, 0), grid.shape)).astype(np.int64)


def empty_labels(path: Path, grid: Grid, dtype: np.dtype[Any]) -> None:
    """Make a label image of one chunk a block."""
    create_level(path, shape=grid.shape, dtype=dtype, chunk=grid.block_px, shard=grid.block_px)


def quantify_job(folder: Path, grid: Grid, **options: Any) -> QuantifyJob:
    """Pass 2 of what lies in a folder; by default of one channel, without growth and without transcripts."""
    given: dict[str, Any] = {
        "image": folder / "image",
        "points": None,
        "channels": (0,),
        "expand_um": 0.0,
        "spacing_um": (1.0, 1.0, 1.0),
        "n_features": 0,
        "min_qv": 20.0,
    }
    return QuantifyJob(
        local_labels=folder / "local",
        lookup=folder / "lookup",
        nuclei=folder / "nuclei",
        cells=folder / "cells",
        grid=grid,
        **(given | options),
    )


def count_rows(counts: MergedCounts, ids: npt.NDArray[np.int64]) -> list[list[int]]:
    """Lists (id, feature, count in the nucleus, count elsewhere in the cell), in the order of the table."""
    cell = np.repeat(ids, np.diff(counts.start))
    return np.column_stack([cell, counts.feature, counts.counts[:, ::-1]]).tolist()


def assert_same_counts(one: MergedCounts, other: MergedCounts) -> None:
    """All counts are equal."""
    for name in ("start", "feature", "counts", "n_low_quality"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def assert_same_sums(one: CellSums, other: CellSums) -> None:
    """All sums but `touches_seam`, which tells of the blocks, are equal."""
    for name in ("ids", "shape", "bounds", "intensity", "extremes", "border", "pairs"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.array_equal(one.flags[:, 1], other.flags[:, 1])


def assert_same_completed(one: Completed, other: Completed) -> None:
    """Whatever does not add up is equal too."""
    for name in ("ranks", "entropy", "convex"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
