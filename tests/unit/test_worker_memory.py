"""The memory of a worker follows the block: an image sixteen times as large costs it nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from block_store import PixelsAreLandscape
from synthetic import Tissue

from isthmus.blocks.grid import Grid
from isthmus.blocks.lookup import LookupFile, read_roots, write_lookup
from isthmus.image.ome_zarr import create_level
from isthmus.packs.journal import Journal
from isthmus.packs.runner import BlockResult, run_pack
from isthmus.segment.block import LOCAL_DTYPE, SegmentJob, segment_block

BLOCK = (1, 1024, 1024)
NODES = 100_000
"""Nodes of each block in the lookup table: far more than there are, so that loading it all would show."""


@dataclass(frozen=True)
class Work:
    """A block's work: pass 1, and the look-ups of pass 2."""

    job: SegmentJob
    lookup: Path
    load_all: bool = False

    def __call__(self, index: int) -> BlockResult:
        lookup, roots = LookupFile(self.lookup), read_roots(self.lookup)
        for near in range(max(0, index - 1), index + 2):
            assert roots[lookup.ids(near)[0]] == near * NODES + 1
        if self.load_all:
            np.array(roots).sum()
        return segment_block(self.job, index)


def worker_mb(folder: Path, side: int, *, load_all: bool = False) -> float:
    """Largest resident memory of a worker that works through four blocks of an image with pixels in a few shards."""
    grid = Grid((1, side, side), BLOCK)
    image = create_level(
        folder / "image",
        shape=grid.shape,
        dtype=np.dtype(np.uint16),
        chunk=(1, 256, 256),
        shard=BLOCK,
        n_channels=1,
    )
    chosen = [0, 1, grid.counts[2], grid.counts[2] + 1]
    tissue = Tissue(pitch_px=40, radius_px=(10.0, 18.0))
    for index in chosen:
        write = grid.block(index).write
        image.write(write, tissue.pixels(write))
    create_level(folder / "local", shape=grid.shape, dtype=LOCAL_DTYPE, chunk=(1, 256, 256), shard=BLOCK)
    ids = np.arange(grid.n_blocks * NODES, dtype=np.uint32)
    offsets = np.arange(grid.n_blocks + 1, dtype=np.int64) * NODES
    write_lookup(folder / "lookup", ids, offsets, np.arange(1, ids.size + 1, dtype=np.int64))
    method = PixelsAreLandscape(merge_radius_px=(0.0, 6.0, 6.0), above=400)
    job = SegmentJob(folder / "image", folder / "local", grid, method)
    made = run_pack(
        partial(_call, Work(job, folder / "lookup", load_all)),
        chosen,
        digest="d",
        journal=Journal(folder / "journal", folder),
        writer="1-of-1",
        workers=1,
        preload=("isthmus.segment.block", "isthmus.segment.forest"),
    )
    return max(entry.max_rss_mb for entry in made.entries.values())


def _call(work: Work, index: int) -> BlockResult:
    return work(index)


@pytest.mark.slow
def test_an_image_of_sixteen_times_the_size_costs_a_worker_nothing(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    small, large = worker_mb(tmp_path / "small", 4096), worker_mb(tmp_path / "large", 16384)
    assert large <= 1.05 * small
    (tmp_path / "loaded").mkdir()
    assert worker_mb(tmp_path / "loaded", 16384, load_all=True) > 1.5 * small  # the measurement would notice
