"""The pointer forest of one block."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import cut_labels, cut_records, oracle_labels

from isthmus.blocks.grid import Region
from isthmus.errors import UserError
from isthmus.segment import forest
from isthmus.segment.forest import _follow, ball_offsets, grow_forest, margin_px, row_offsets

NO_MERGE = (0.0, 0.0, 0.0)


def _whole(landscape, radius_px=NO_MERGE):
    region = Region((0, 0, 0), landscape.shape)
    return grow_forest(
        landscape, read=region, write=region, image_shape=landscape.shape, merge_radius_px=radius_px
    )


def test_two_hills_are_two_instances():
    landscape = np.array([[[1, 2, 3, 2, 1, 2, 3, 2, 1]]], dtype=np.uint16)
    labels, roots, exits = _whole(landscape)
    # The pixel between the hills sees equal neighbours: the later one wins.
    assert labels.tolist() == [[[1, 1, 1, 1, 2, 2, 2, 2, 2]]]
    assert roots.tolist() == [2, 6]
    assert exits.size == 0


def test_hills_within_the_merge_distance_are_one():
    landscape = np.array([[[1, 2, 3, 2, 1, 2, 4, 2, 1]]], dtype=np.uint16)
    assert _whole(landscape, (0.0, 1.0, 3.9))[1].tolist() == [2, 6]
    labels, roots, _ = _whole(landscape, (0.0, 1.0, 4.0))
    assert roots.tolist() == [6]
    assert (labels == 1).all()


def test_a_plateau_belongs_to_its_last_pixel():
    labels, roots, _ = _whole(np.full((1, 20, 30), 9, dtype=np.uint16))
    assert (labels == 1).all()
    assert roots.tolist() == [20 * 30 - 1]


def test_background_parts_instances_but_diagonals_join_them():
    landscape = np.zeros((1, 4, 4), dtype=np.uint16)
    landscape[0, 0, 0] = landscape[0, 1, 1] = landscape[0, 3, 3] = 5
    labels, roots, _ = _whole(landscape)
    assert roots.tolist() == [5, 15]
    assert labels[0, 0, 0] == labels[0, 1, 1] == 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 5), (1, 5, 1), (2, 1, 1), (1, 3, 4)])
@pytest.mark.parametrize("value", [0, 1, 65535])
def test_smallest_and_flat_images(shape, value):
    landscape = np.full(shape, value, dtype=np.uint16)
    labels, roots, exits = _whole(landscape, (1.0, 3.0, 3.0))
    assert roots.size == (1 if value else 0)
    assert exits.size == 0
    assert (labels == (1 if value else 0)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_the_landscape_may_have_any_unsigned_type(dtype):
    random = np.random.default_rng(3)
    landscape = random.integers(0, 4, (1, 15, 15)).astype(dtype)
    expected = oracle_labels(landscape, radius_px=(0.0, 2.0, 2.0))
    assert np.array_equal(cut_labels(landscape, (1, 4, 6), radius_px=(0.0, 2.0, 2.0)), expected)


def test_a_path_longer_than_the_buffers_grow_with_it():
    # A serpentine of 3,000 rising pixels, many more roots and exits than the first buffers hold.
    landscape = np.zeros((1, 101, 60), dtype=np.uint16)
    height = 1
    for row in range(0, 101, 2):
        columns = range(60) if row % 4 == 0 else range(59, -1, -1)
        for column in columns:
            landscape[0, row, column] = height
            height += 1
        if row + 1 < 101:
            landscape[0, row + 1, 59 if row % 4 == 0 else 0] = height
            height += 1
    labels, roots, _ = _whole(landscape)
    assert roots.size == 1
    assert np.array_equal(labels > 0, landscape > 0)
    assert np.array_equal(cut_labels(landscape, (1, 7, 11), radius_px=NO_MERGE), labels)
    dots = np.zeros((1, 100, 120), dtype=np.uint16)
    dots[0, ::2, ::2] = 1
    assert _whole(dots)[1].size == 50 * 60


def test_exits_are_where_paths_leave():
    landscape = np.array([[[1, 2, 3, 4]]], dtype=np.uint16)
    _, labels, records = cut_records(landscape, (1, 1, 2), radius_px=NO_MERGE)
    assert labels[0].tolist() == [[[1, 1]]]
    assert records[0].roots.size == 0
    assert records[0].exits.tolist() == [2]
    assert records[1].roots.tolist() == [3]


def test_places_are_those_of_the_image_beyond_two_to_the_31():
    shape = (1, 100_000, 100_000)
    write = Region((0, 99_990, 99_990), (1, 100_000, 100_000))
    read = write.grown((0, 1, 1), shape)
    landscape = np.zeros(read.shape, dtype=np.uint16)
    landscape[0, 5, 0] = 9  # outside the write region: (99_994, 99_989)
    landscape[0, 5, 1] = 8
    landscape[0, -1, -1] = 7
    _, roots, exits = grow_forest(
        landscape, read=read, write=write, image_shape=shape, merge_radius_px=NO_MERGE
    )
    assert roots.tolist() == [100_000 * 100_000 - 1]
    assert exits.tolist() == [99_994 * 100_000 + 99_989]
    assert roots[0] > 2**31


@pytest.mark.parametrize(
    ("radius", "expected"),
    [((0, 0, 0), (1, 1, 1)), ((0.9, 1.5, 3), (1, 1, 3)), ((2, 3.99, 4), (2, 3, 4))],
)
def test_a_pointer_reaches_the_merge_distance_and_at_least_one_pixel(radius, expected):
    assert margin_px(True, radius) == expected
    assert margin_px(False, radius) == (0, *expected[1:])


def test_neighbours_are_three_rows_of_a_plane_and_nine_of_a_volume():
    assert row_offsets((1, 7, 5)).tolist() == [-5, 0, 5]
    assert row_offsets((3, 7, 5)).tolist() == [-40, -35, -30, -5, 0, 5, 30, 35, 40]


@pytest.mark.parametrize(
    ("radius", "n"), [((0, 0, 0), 0), ((0, 1, 1), 4), ((0, 1.5, 1.5), 8), ((0, 3, 3), 28), ((1, 2, 3), None)]
)
def test_the_ball_holds_its_surface(radius, n):
    offsets = ball_offsets((1 if radius[0] == 0 else 9, 50, 50), radius)
    if n is None:
        n = (
            sum(
                (z / 1) ** 2 + (y / 2) ** 2 + (x / 3) ** 2 <= 1.000001
                for z in range(-1, 2)
                for y in range(-2, 3)
                for x in range(-3, 4)
            )
            - 1
        )
    assert offsets.size == n
    assert (np.sort(offsets) == offsets).all()
    assert np.array_equal(np.sort(-offsets), offsets)


@pytest.mark.parametrize("pointers", [[-2, 0], [-3, -2, 0], [1, -4, -5, -3]])
def test_pointers_in_a_circle_are_told_and_not_followed_for_ever(pointers):
    labels = np.array(pointers, np.int32)
    assert _follow(labels, 1, np.empty(labels.size, np.int64)) == -1


def test_the_longest_path_that_there_can_be_is_no_circle():
    labels = np.array([-3, -4, -5, 1], np.int32)
    assert _follow(labels, 1, np.empty(4, np.int64)) == 0
    assert labels.tolist() == [1, 1, 1, 1]


def test_a_block_whose_pointers_run_in_a_circle_is_an_error(monkeypatch):
    monkeypatch.setattr(forest, "_follow", lambda *_: -1)
    with pytest.raises(RuntimeError, match="run in a circle"):
        _whole(np.ones((1, 3, 3), np.uint16))


def test_a_block_whose_pointers_would_overflow_is_refused():
    pixel = np.zeros((1, 1, 1), np.uint16)
    write = Region((0, 0, 0), (1, 1, 1))
    with pytest.raises(UserError, match=r"1 x 60001 x 60001 pixels .* more than 2\^31"):
        grow_forest(
            pixel, read=write, write=write, image_shape=(1, 1, 1), merge_radius_px=(1, 30_000, 30_000)
        )
