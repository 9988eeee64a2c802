"""Blocks tile an image, and nothing of it is lost or double."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.blocks.arrays import arrays_from_bytes, arrays_to_bytes
from isthmus.blocks.grid import Grid, Region, pack_blocks
from isthmus.blocks.lookup import LookupFile, read_roots, write_lookup

GRIDS = [
    ((1, 1, 1), (1, 1, 1)),
    ((1, 10, 7), (1, 3, 4)),
    ((5, 4, 9), (2, 3, 2)),
    ((3, 3, 3), (64, 512, 512)),
]


@pytest.mark.parametrize(("shape", "block_px"), GRIDS)
def test_blocks_tile_the_image(shape, block_px):
    grid = Grid(shape, block_px)
    covered = np.zeros(shape, dtype=int)
    for index in range(grid.n_blocks):
        block = grid.block(index)
        assert block.index == index
        assert min(block.write.shape) > 0
        assert block.write.size == np.prod(block.write.shape)
        covered[block.write.slices] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize(("shape", "block_px"), GRIDS)
def test_blocks_that_overlap_a_region(shape, block_px):
    grid = Grid(shape, block_px)
    random = np.random.default_rng(0)
    for _ in range(30):
        start = [int(random.integers(0, n)) for n in shape]
        stop = [int(random.integers(a + 1, n + 1)) for a, n in zip(start, shape, strict=True)]
        region = Region(tuple(start), tuple(stop))
        found = [block.index for block in grid.overlapping(region)]
        wanted = [i for i in range(grid.n_blocks) if grid.block(i).write.intersection(region)]
        assert found == wanted


def test_a_halo_is_cut_at_the_image_edge():
    block = Grid((1, 10, 10), (1, 4, 4)).block(0)
    read = block.read((0, 3, 3), (1, 10, 10))
    assert read == Region((0, 0, 0), (1, 7, 7))
    assert block.write.within(read) == (slice(0, 1), slice(0, 4), slice(0, 4))
    last = Grid((1, 10, 10), (1, 4, 4)).block(8)
    assert last.write == Region((0, 8, 8), (1, 10, 10))
    assert last.write.within(last.read((0, 3, 3), (1, 10, 10))) == (slice(0, 1), slice(3, 5), slice(3, 5))


def test_regions_that_only_touch_share_nothing():
    one, other = Region((0, 0, 0), (1, 4, 4)), Region((0, 0, 4), (1, 4, 8))
    assert one.intersection(other) is None
    assert one.intersection(one) == one


@pytest.mark.parametrize("index", [-1, 6])
def test_there_is_no_block_beside_the_image(index):
    with pytest.raises(IndexError, match="of 6"):
        Grid((1, 6, 4), (1, 2, 2)).block(index)


@pytest.mark.parametrize(("shape", "block_px"), [((1, 0, 4), (1, 2, 2)), ((1, 4, 4), (1, 0, 2))])
def test_sizes_must_be_positive(shape, block_px):
    with pytest.raises(ValueError, match="positive"):
        Grid(shape, block_px)


def test_a_grid_beyond_two_to_the_31_pixels():
    grid = Grid((1, 100_000, 100_000), (1, 1024, 1024))
    last = grid.block(grid.n_blocks - 1)
    assert last.write.stop == (1, 100_000, 100_000)
    assert [block.index for block in grid.overlapping(last.write)] == [grid.n_blocks - 1]


@pytest.mark.parametrize("n_blocks", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("packs", [1, 2, 3, 7, 150])
def test_packs_are_even_and_keep_the_order(n_blocks, packs):
    made = pack_blocks(range(n_blocks), packs)
    assert len(made) == packs
    assert [block for pack in made for block in pack] == list(range(n_blocks))
    sizes = [len(pack) for pack in made]
    assert max(sizes) - min(sizes) <= 1


def test_there_is_at_least_one_pack():
    with pytest.raises(ValueError, match="at least 1"):
        pack_blocks(range(3), 0)


def test_arrays_come_back_as_they_were():
    arrays = {
        "a": np.arange(6).reshape(2, 3),
        "empty": np.empty((0, 4), np.uint8),
        "flag": np.array([True, False]),
    }
    found = arrays_from_bytes(arrays_to_bytes(arrays))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def test_equal_arrays_are_equal_bytes():
    assert arrays_to_bytes({"a": np.arange(5)}) == arrays_to_bytes({"a": np.arange(5)})


def test_a_lookup_is_read_block_by_block(tmp_path):
    write_lookup(tmp_path / "lookup", np.array([4, 0, 2]), np.array([0, 2, 2, 3]))
    lookup = LookupFile(tmp_path / "lookup")
    assert [lookup.ids(block).tolist() for block in range(3)] == [[4, 0], [], [2]]


def test_a_lookup_tells_the_roots_of_ids_of_any_type(tmp_path):
    write_lookup(tmp_path, np.array([2, 0, 1], np.uint8), np.array([0, 3]), np.array([2**40, 2**41]))
    assert LookupFile(tmp_path).ids(0).dtype == np.int64
    assert LookupFile(tmp_path).ids(0).tolist() == [2, 0, 1]
    assert read_roots(tmp_path).tolist() == [2**40, 2**41]
    write_lookup(tmp_path, np.empty(0, np.uint8), np.array([0, 0]), np.empty(0, np.int64))
    assert read_roots(tmp_path).size == 0


def test_a_lookup_may_be_empty_and_be_replaced(tmp_path):
    write_lookup(tmp_path, np.array([7]), np.array([0, 1]))
    write_lookup(tmp_path, np.empty(0, np.int64), np.array([0, 0]))
    assert LookupFile(tmp_path).ids(0).size == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.npy", "ids.npy", "offsets.npy"]
