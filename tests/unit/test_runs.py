"""Pixel runs against the pixels they stand for, and which instances need them."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.blocks.grid import Grid, Region
from isthmus.quantify.runs import RUN_COLUMNS, pixel_runs, seam_instances
from isthmus.quantify.spans import find_spans
from isthmus.quantify.sums import add_geometry, empty_sums


def _labels(shape, n=9, seed=0):
    random = np.random.default_rng(seed)
    return np.where(random.random(shape) < 0.7, random.integers(1, n + 1, shape), 0).astype(np.int32)


def _region(labels, start=(0, 0, 0)):
    return Region(start, tuple(s + n for s, n in zip(start, labels.shape, strict=True)))


def _painted(runs, shape, dtype=np.int64):
    image = np.zeros(shape, dtype=dtype)
    for number, z, y, x_start, x_stop in runs.tolist():
        assert not image[z, y, x_start:x_stop].any()
        image[z, y, x_start:x_stop] = number
    return image


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 23, 31), (5, 7, 9), (1, 2, 9000)])
def test_runs_hold_every_pixel_once(shape):
    labels = _labels(shape)
    runs = pixel_runs(labels, write=_region(labels))
    assert runs.dtype == np.int32
    assert runs.shape[1] == len(RUN_COLUMNS)
    assert np.array_equal(_painted(runs, shape), labels)


def test_there_may_be_any_number_of_runs():
    labels = np.tile(np.arange(1, 5, dtype=np.int32), (1, 300, 225))
    runs = pixel_runs(labels, write=_region(labels))
    assert len(runs) == labels.size
    assert np.array_equal(labels[tuple(runs[:, 1:4].T)], runs[:, 0])
    assert np.unique(runs[:, 1:4], axis=0).shape[0] == labels.size


def test_runs_are_sorted_and_as_long_as_can_be():
    labels = np.array([[[2, 2, 0, 2, 1, 1], [2, 2, 2, 2, 2, 2]]], dtype=np.int32)
    expected = [[1, 0, 0, 4, 6], [2, 0, 0, 0, 2], [2, 0, 0, 3, 4], [2, 0, 1, 0, 6]]
    assert pixel_runs(labels, write=_region(labels)).tolist() == expected


def test_runs_are_in_pixels_of_the_image():
    labels = np.array([[[0, 3]]], dtype=np.int32)
    runs = pixel_runs(labels, write=_region(labels, (4, 50, 600)))
    assert runs.tolist() == [[3, 4, 50, 601, 602]]


def test_nothing_has_no_runs():
    labels = np.zeros((1, 4, 4), dtype=np.int32)
    assert pixel_runs(labels, write=_region(labels)).shape == (0, 5)


@pytest.mark.parametrize(
    ("shape", "block_px"),
    [
        ((1, 30, 31), (1, 7, 9)),
        ((1, 12, 12), (1, 1, 1)),
        ((1, 9, 8), (1, 9, 8)),
        ((6, 8, 9), (2, 8, 4)),
        ((4, 5, 5), (2, 5, 5)),
    ],
)
def test_seams_are_those_of_the_flags(shape, block_px):
    labels, grid = _labels(shape, n=40), Grid(shape, block_px)
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        part = np.ascontiguousarray(labels[write.slices])
        sums = empty_sums(40, 0)
        add_geometry(sums, find_spans(part, part), write=write, image_shape=shape)
        touches = seam_instances(part, 40, write=write, image_shape=shape)
        assert np.array_equal(touches, sums.flags[:, 0])


def test_an_uncut_image_has_no_seams():
    labels = _labels((1, 20, 20), n=40)
    assert not seam_instances(labels, 40, write=_region(labels), image_shape=labels.shape).any()
