"""Images larger than the blocks by far, and numbers larger than the types that usually do."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from block_store import (
    PixelsAreLandscape,
    assert_same_sums,
    quantify_job,
    run_blocks,
)
from scale import Stored, count_differing, run_cut, store_tissue, store_volume, whole_nuclei
from tissue import GeneratedTissue

from isthmus.blocks.arrays import arrays_from_bytes
from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.blocks.lookup import write_lookup
from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import Level, create_level
from isthmus.quantify.block import quantify_block
from isthmus.segment.block import LOCAL_DTYPE, SegmentJob, segment_block
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import label_dtype, stitch
from isthmus.tables.merge import merge_sums
from isthmus.tables.shape import centroid_um

VOLUME = Path(__file__).resolve().parents[3] / "shared" / "data" / "plantseg_nuclei3d" / "1136_mini.h5"


def _compare(folder: Path, stored: Stored, cuts: list[tuple[Triple, int, int]]) -> None:
    """Of (block, workers, packs): nuclei are those of the whole image, cells and sums those of the first cut.

    Packs, and blocks of a pack, come in another order each time.
    """
    wanted = whole_nuclei(stored)
    assert wanted.max() > 5
    done = []
    for number, (block_px, workers, packs) in enumerate(cuts):
        cut = run_cut(folder / str(number), stored, block_px, workers=workers, packs=packs, seed=number)
        assert cut.lookup.n_instances == wanted.max()
        assert count_differing(cut.nuclei, wanted, stored.shape) == 0, block_px
        done.append(cut)
        assert count_differing(cut.cells, done[0].cells, stored.shape) == 0, block_px
        assert_same_sums(cut.sums, done[0].sums)


def _planes(*cuts: tuple[int, int, int]) -> list[tuple[Triple, int, int]]:
    return [((1, edge, edge), workers, packs) for edge, workers, packs in cuts]


@pytest.mark.slow
def test_any_block_size_and_number_of_workers_packs_and_order(tmp_path: Path) -> None:
    stored = store_tissue(tmp_path, 1100, GeneratedTissue(seed=2))
    cuts = [(4096, 1, 1), (64, 2, 2), (100, 3, 1), (256, 4, 3), (333, 1, 1), (512, 2, 1), (1024, 2, 1)]
    _compare(tmp_path, stored, _planes(*cuts))


@pytest.mark.slow
def test_8192_pixels_a_side(tmp_path: Path) -> None:
    stored = store_tissue(tmp_path, 8192, GeneratedTissue(seed=1))
    _compare(tmp_path, stored, _planes((512, 2, 3), (1000, 2, 1), (4096, 1, 2)))


def _generated_volume(folder: Path) -> Stored:
    pixels = GeneratedTissue(seed=3, is_volume=True).pixels(Region((0, 0, 0), (40, 90, 80)))
    return store_volume(folder, pixels, (1.0, 0.5, 0.5), 8.0)


def test_generated_tissue_in_three_dimensions(tmp_path: Path) -> None:
    cuts = [((40, 90, 80), 1, 1), ((16, 32, 64), 2, 1)]
    _compare(tmp_path, _generated_volume(tmp_path), cuts)


@pytest.mark.slow
def test_a_volume_with_any_number_of_workers_and_packs_in_any_order(tmp_path: Path) -> None:
    cuts = [
        ((40, 90, 80), 1, 1),
        ((16, 32, 64), 1, 3),
        ((16, 32, 32), 2, 2),
        ((7, 45, 33), 3, 1),
        ((40, 20, 80), 4, 2),
    ]
    _compare(tmp_path, _generated_volume(tmp_path), cuts)


@pytest.mark.slow
def test_a_real_volume(tmp_path: Path) -> None:
    if not VOLUME.exists():
        pytest.skip("needs plantseg_nuclei3d of the shared test data, which this machine does not have")
    with h5py.File(VOLUME, mode="r") as file:
        pixels = file["raw"][:].astype(np.uint16)
    stored = store_volume(tmp_path, pixels, (0.28371839, 0.12756972, 0.12756972), 4.0)
    cuts = [(stored.shape, 1, 1), ((32, 64, 64), 2, 3), ((13, 29, 100), 4, 1), ((100, 40, 37), 3, 2)]
    _compare(tmp_path, stored, cuts)


def test_more_instances_than_16_bits_hold_are_written(tmp_path: Path) -> None:
    """One bright pixel every fourth of 1,040 a side: 67,600 instances of one pixel, in four blocks."""
    pixels = np.zeros((1, 1, 1040, 1040), dtype=np.uint16)
    pixels[..., 1::4, 2::4] = 500
    done = run_blocks(tmp_path, pixels, (1, 520, 520), method=PixelsAreLandscape(), expand_um=1.0)
    assert done.lookup.max_id == 67_600
    for path in (done.quantify.nuclei, done.quantify.cells):
        level = Level.open(path, is_volume=False, has_channels=False)
        assert level.array.dtype == np.uint32
    expected = np.zeros((1040, 1040), dtype=np.int64)
    expected[1::4, 2::4] = np.arange(1, 67_601).reshape(260, 260)
    assert np.array_equal(done.nuclei[0], expected)
    assert np.array_equal(done.cells[0, 1::4, 1::4], expected[1::4, 2::4])
    assert np.array_equal(done.sums.ids, np.arange(1, 67_601))
    assert (done.sums.shape.sum(axis=1)[:, 0] == 5).all()


SIDE = 60_000
SQUARES = {  # first pixel of objects of 30 x 30 pixels: near both ends, across one seam, across a crossing of seams
    "first": (7, 11),
    "across rows": (58 * 1024 - 10, 58 * 1024 + 300),
    "across columns": (58 * 1024 + 200, 58 * 1024 - 17),
    "across both": (58 * 1024 - 15, 58 * 1024 - 12),
    "last": (SIDE - 30, SIDE - 30),
}


def test_an_image_of_more_than_two_to_the_31_pixels(tmp_path: Path) -> None:
    """Nearly all of its 3.6 thousand million pixels are not stored; only blocks near objects are worked on."""
    shape = (1, SIDE, SIDE)
    grid = Grid(shape, (1, 1024, 1024))
    image = create_level(
        tmp_path / "image",
        shape=shape,
        dtype=np.dtype(np.uint16),
        chunk=(1, 256, 256),
        shard=(1, 1024, 1024),
        n_channels=1,
    )
    hill = (1000 + 20 * np.minimum.outer(np.arange(30), np.arange(30))).astype(np.uint16)
    for y, x in SQUARES.values():
        image.array[0:1, y : y + 30, x : x + 30] = hill[np.newaxis]
    blocks = sorted(
        {
            block.index
            for y, x in SQUARES.values()
            for block in grid.overlapping(Region((0, y, x), (1, y + 30, x + 30)))
        }
    )
    for name in ("local", "nuclei", "cells"):
        dtype = LOCAL_DTYPE if name == "local" else label_dtype(len(SQUARES))
        create_level(tmp_path / name, shape=shape, dtype=dtype, chunk=(1, 256, 256), shard=(1, 1024, 1024))
    job = SegmentJob(tmp_path / "image", tmp_path / "local", grid, PixelsAreLandscape())
    records = {block: BlockRecord.from_bytes(segment_block(job, block).record) for block in blocks}
    lookup = stitch(records, grid, min_area_px=900)
    peaks = sorted((y + 29) * SIDE + x + 29 for y, x in SQUARES.values())
    assert lookup.roots.tolist() == peaks
    assert peaks[-1] == SIDE * SIDE - 1 > 2**31
    write_lookup(tmp_path / "lookup", lookup.ids, lookup.offsets, lookup.roots)
    quantify = quantify_job(tmp_path, grid)
    sums = merge_sums([arrays_from_bytes(quantify_block(quantify, block).record) for block in blocks])
    assert sums.ids.tolist() == [1, 2, 3, 4, 5]
    in_order = sorted(SQUARES, key=lambda name: SQUARES[name])
    centres = np.array([[SQUARES[name][1] + 15.0, SQUARES[name][0] + 15.0] for name in in_order])
    found = centroid_um(sums.shape.sum(axis=1), Affine.from_size(1.0), 1.0, is_volume=False)
    assert np.array_equal(found, centres)
    level = Level.open(tmp_path / "cells", is_volume=False, has_channels=False)
    for number, name in enumerate(in_order, start=1):
        y, x = SQUARES[name]
        assert (level.read(Region((0, y, x), (1, y + 30, x + 30))) == number).all(), name
    assert sums.flags[:, 0].tolist() == [name.startswith("across") for name in in_order]
    assert sums.flags[:, 1].tolist() == [name == "last" for name in in_order]
