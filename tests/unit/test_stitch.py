"""Joining blocks: the same instances and ids wherever the cuts are, and errors that cannot pass unseen."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from oracle import cut_labels, cut_records, oracle_labels

from isthmus.blocks.grid import Grid
from isthmus.segment.forest import grow_forest
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import keep_ids, label_dtype, stitch

NONE = np.empty(0, dtype=np.int64)


def _random(shape, top, seed=0):
    return np.random.default_rng(seed).integers(0, top, shape).astype(np.uint16)


def _record(roots=(), exits=(), area=(), ring=()):
    start, label = (np.array([r[k] for r in ring], dtype=np.int64) for k in (0, 1))
    return BlockRecord(
        np.array(roots, np.int64),
        np.array(exits, np.int64),
        np.array(area, np.int64),
        start,
        np.ones(start.size, dtype=np.int32),
        label.astype(np.int32),
    )


@pytest.mark.parametrize("radius", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("top", [2, 3, 10, 60000])
def test_a_plane_in_blocks_of_any_size(radius, top):
    landscape = _random((1, 31, 29), top)
    radii = (0.0, radius, radius)
    expected = oracle_labels(landscape, radius_px=radii)
    for block_px in [
        (1, 1, 1),
        (1, 2, 3),
        (1, 7, 5),
        (1, 16, 8),
        (1, 30, 28),
        (1, 31, 29),
        (1, 64, 64),
        (1, 31, 1),
    ]:
        assert np.array_equal(cut_labels(landscape, block_px, radius_px=radii), expected), block_px


@pytest.mark.parametrize("radius", [(0.0, 0.0, 0.0), (1.0, 2.0, 3.0), (3.0, 1.0, 1.0)])
@pytest.mark.parametrize("top", [2, 4])
def test_a_volume_in_blocks_of_any_size(radius, top):
    landscape = _random((6, 9, 8), top)
    expected = oracle_labels(landscape, radius_px=radius)
    for block_px in [(1, 1, 1), (2, 3, 4), (6, 9, 8), (4, 4, 4), (1, 9, 8), (64, 512, 512)]:
        assert np.array_equal(cut_labels(landscape, block_px, radius_px=radius), expected), block_px


@pytest.mark.parametrize("min_area", [1, 2, 5, 40, 10_000])
def test_an_instance_is_dropped_for_its_whole_area(min_area):
    landscape = _random((1, 40, 40), 3, seed=5)
    expected = oracle_labels(landscape, radius_px=(0, 2, 2), min_area_px=min_area)
    assert np.array_equal(
        cut_labels(landscape, (1, 3, 3), radius_px=(0, 2, 2), min_area_px=min_area), expected
    )


def test_one_instance_over_hundreds_of_blocks():
    landscape = (1 + np.arange(40 * 40).reshape(1, 40, 40)).astype(np.uint16)
    grid, _, records = cut_records(landscape, (1, 2, 2), radius_px=(0, 0, 0))
    lookup = stitch(records, grid, min_area_px=1600)
    assert lookup.n_instances == 1
    assert set(lookup.ids.tolist()) == {1}
    assert stitch(records, grid, min_area_px=1601).n_instances == 0


def test_nothing_is_no_instance():
    grid, _, records = cut_records(np.zeros((1, 9, 9), np.uint16), (1, 4, 4), radius_px=(0, 3, 3))
    lookup = stitch(records, grid, min_area_px=1)
    assert (lookup.n_instances, lookup.max_id, lookup.ids.size) == (0, 0, 0)
    assert stitch({}, grid, min_area_px=1).offsets.tolist() == [0] * (grid.n_blocks + 1)


def test_ids_follow_the_roots_not_the_blocks():
    # Two blocks side by side: row-major order goes to and fro between them.
    landscape = np.zeros((1, 6, 6), dtype=np.uint16)
    landscape[0, [0, 2, 4], [0, 5, 1]] = 1
    labels = cut_labels(landscape, (1, 6, 3), radius_px=(0, 0, 0))
    assert [int(labels[0, y, x]) for y, x in ((0, 0), (2, 5), (4, 1))] == [1, 2, 3]


def test_a_record_survives_its_bytes():
    _, _, records = cut_records(_random((1, 12, 12), 3), (1, 5, 5), radius_px=(0, 2, 2))
    for record in records.values():
        again = BlockRecord.from_bytes(record.to_bytes())
        for name in ("roots", "exits", "area_px", "ring_start", "ring_length", "ring_label"):
            assert np.array_equal(getattr(again, name), getattr(record, name))


def _differs(landscape, block_px, radius, **cut):
    """Whether a wrong cut is noticed: an error, or another result."""
    try:
        found = cut_labels(landscape, block_px, radius_px=radius, **cut)
    except (ValueError, KeyError):
        return True
    return not np.array_equal(found, oracle_labels(landscape, radius_px=radius))


@pytest.mark.parametrize("axis", [1, 2])
def test_a_ring_one_pixel_too_small_is_noticed(axis):
    ring = [0, 3, 3]
    ring[axis] = 2
    landscapes = [_random((1, 40, 40), 400, seed) for seed in range(4)]
    for landscape in landscapes:
        landscape[landscape > 40] = 0  # far apart, so that peaks give way to pixels at the full distance
    block_px = (1, 8, 40) if axis == 1 else (1, 40, 8)
    assert any(_differs(landscape, block_px, (0, 3, 3), ring_px=tuple(ring)) for landscape in landscapes)
    assert not any(_differs(landscape, block_px, (0, 3, 3)) for landscape in landscapes)


def test_an_exit_outside_the_ring_is_an_error():
    landscape = np.zeros((1, 8, 16), dtype=np.uint16)
    landscape[0, 4, [7, 10]] = 5, 9  # the peak at 7 gives way to the one three pixels off, beyond the cut
    with pytest.raises(ValueError, match="not in its ring"):
        cut_labels(landscape, (1, 8, 8), radius_px=(0, 3, 3), ring_px=(0, 2, 2))
    assert cut_labels(landscape, (1, 8, 8), radius_px=(0, 3, 3)).max() == 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_halo_one_pixel_too_small_is_an_error(axis):
    landscape, halo = _random((6, 12, 12), 60000), [2, 3, 3]
    cut_labels(landscape, (2, 6, 6), radius_px=(2, 3, 3), halo_px=tuple(halo))
    halo[axis] -= 1
    with pytest.raises(ValueError, match="does not reach"):
        cut_labels(landscape, (2, 6, 6), radius_px=(2, 3, 3), halo_px=tuple(halo))
    # Where the halo ends at the image it need not reach.
    whole = (6, 12, 12)
    assert cut_labels(landscape, whole, radius_px=(2, 3, 3), halo_px=tuple(halo)).max() > 0


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", ["start", "stop"])
def test_the_margin_is_needed_to_its_last_pixel_and_no_further(axis, end):
    radius, margin, shape = (2.0, 3.0, 3.0), (2, 3, 3), (12, 24, 24)
    block = Grid(shape, (4, 8, 8)).block(13)
    # A peak at the border of the block, and a higher one at just the merge distance outside.
    landscape = np.zeros(shape, dtype=np.uint16)
    peak = [6, 12, 12]
    peak[axis] = block.write.start[axis] if end == "start" else block.write.stop[axis] - 1
    landscape[tuple(peak)] = 5
    peak[axis] += -margin[axis] if end == "start" else margin[axis]
    landscape[tuple(peak)] = 9

    def found(halo, spoil):
        read = block.write.grown(halo, shape)
        pixels = landscape[read.slices].copy()
        if spoil:
            np.moveaxis(pixels, axis, 0)[[0, -1]] = 0
        _, roots, exits = grow_forest(
            pixels, read=read, write=block.write, image_shape=shape, merge_radius_px=radius
        )
        return roots.size, exits.tolist()

    right = (0, [int(np.ravel_multi_index(peak, shape))])
    assert found(margin, spoil=False) == right
    assert found(margin, spoil=True) == (1, [])
    assert found(tuple(n + 1 for n in margin), spoil=True) == right


def test_a_missing_neighbour_is_an_error():
    landscape = np.array([[[1, 2, 3, 4]]], dtype=np.uint16)
    grid, _, records = cut_records(landscape, (1, 1, 2), radius_px=(0, 0, 0))
    del records[1]
    with pytest.raises((ValueError, KeyError)):
        stitch(records, grid, min_area_px=1)


def test_exits_in_a_circle_are_an_error():
    # Nothing that pass 1 writes can be so; records of two runs together can.
    grid = Grid((1, 1, 4), (1, 1, 2))
    records = {
        0: _record(exits=[2], area=[2], ring=[(0, 1), (1, 1)]),
        1: _record(exits=[1], area=[2], ring=[(0, 1), (1, 1)]),
    }
    with pytest.raises(ValueError, match="circle"):
        stitch(records, grid, min_area_px=1)


def test_the_root_of_every_instance_is_told():
    landscape = _random((1, 40, 40), 50, seed=3)
    grid, _, records = cut_records(landscape, (1, 9, 7), radius_px=(0, 2, 2))
    lookup = stitch(records, grid, min_area_px=4)
    whole = cut_labels(landscape, (1, 9, 7), radius_px=(0, 2, 2), min_area_px=4)
    assert np.array_equal(whole.reshape(-1)[lookup.roots], np.arange(1, lookup.n_instances + 1))
    assert np.all(np.diff(lookup.roots) > 0)
    assert lookup.n_instances < sum(record.roots.size for record in records.values())


def test_imported_labels_keep_their_ids():
    grid = Grid((1, 4, 8), (1, 4, 4))
    records = {1: _record([70_000, 3], area=[4, 1]), 0: _record([3, 9], area=[2, 2])}
    lookup = keep_ids(records, grid)
    assert lookup.ids.tolist() == [3, 9, 70_000, 3]
    assert lookup.offsets.tolist() == [0, 2, 4]
    assert (lookup.n_instances, lookup.max_id) == (3, 70_000)
    assert lookup.roots.tolist() == [3, 9, 70_000]
    assert lookup.ids.dtype == np.uint32
    empty = keep_ids({}, grid)
    assert (empty.n_instances, empty.max_id) == (0, 0)


def _generated(n_blocks_side, per_block):
    """Records of a plane of blocks without pixels: `per_block` roots, and one instance that comes from the left."""
    side = 1024
    grid = Grid((1, n_blocks_side * side, n_blocks_side * side), (1, side, side))
    records = {}
    width = grid.shape[2]
    for index in range(grid.n_blocks):
        start = grid.block(index).write.start
        # Row 0 holds the exit's owner pixel at column 0; roots lie in the rows below.
        rows, columns = np.divmod(np.arange(1, per_block + 1), side)
        roots = (start[1] + rows + 1).astype(np.int64) * width + start[2] + columns
        last = start[2] + side == width
        exits = NONE if last else np.array([start[1] * width + start[2] + side], dtype=np.int64)
        area = np.full(per_block + exits.size, 30, dtype=np.int64)
        records[index] = BlockRecord(
            roots,
            exits,
            area,
            np.array([0]),
            np.array([1], dtype=np.int32),
            np.array([1 if last else per_block + 1], dtype=np.int32),
        )
    return grid, records


def _check_generated(n_blocks_side, per_block):
    grid, records = _generated(n_blocks_side, per_block)
    lookup = stitch(records, grid, min_area_px=30)
    n = grid.n_blocks * per_block
    assert (lookup.n_instances, lookup.max_id) == (n, n)
    roots = np.concatenate([records[b].roots for b in range(grid.n_blocks)])
    ids = np.concatenate(
        [lookup.ids[lookup.offsets[b] : lookup.offsets[b] + per_block] for b in range(grid.n_blocks)]
    )
    assert np.array_equal(np.argsort(roots), np.argsort(ids))
    assert np.array_equal(np.sort(ids), np.arange(1, n + 1))
    assert np.array_equal(lookup.roots[ids - 1], roots)
    for row in range(n_blocks_side):
        last = row * n_blocks_side + n_blocks_side - 1
        passing = [
            lookup.ids[lookup.offsets[row * n_blocks_side + k + 1] - 1] for k in range(n_blocks_side - 1)
        ]
        assert set(passing) <= {lookup.ids[lookup.offsets[last]]}
    return lookup


def test_more_instances_than_16_bits_hold():
    lookup = _check_generated(4, 5_000)
    assert lookup.max_id == 80_000
    assert label_dtype(lookup.max_id) == np.uint32


@pytest.mark.slow
def test_more_instances_than_24_bits_hold_in_an_image_beyond_two_to_the_31_pixels():
    lookup = _check_generated(48, 7_400)
    assert lookup.max_id > 2**24
    assert label_dtype(lookup.max_id) == np.uint32


@pytest.mark.parametrize(
    ("max_id", "dtype"),
    [(0, "u1"), (255, "u1"), (256, "u2"), (65_535, "u2"), (65_536, "u4"), (2**32 - 1, "u4"), (2**32, "u8")],
)
def test_labels_take_the_smallest_type_that_holds_them(max_id, dtype):
    assert label_dtype(max_id) == np.dtype(dtype)


def test_every_small_landscape_of_two_heights():
    # All 2 x 3 planes with values 0 to 2, cut both ways: nothing is left to chance.
    for values in product((0, 1, 2), repeat=6):
        landscape = np.array(values, dtype=np.uint16).reshape(1, 2, 3)
        expected = oracle_labels(landscape, radius_px=(0, 0, 2))
        assert np.array_equal(cut_labels(landscape, (1, 1, 2), radius_px=(0, 0, 2)), expected)
