"""What a block says of itself."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.segment.record import BlockRecord, make_record

NONE = np.empty(0, dtype=np.int64)


def _full(shape, ring_px):
    labels = np.ones(shape, dtype=np.int32)
    return make_record(labels, np.array([0]), NONE, ring_px=ring_px)


@pytest.mark.parametrize("shape", [(1, 7, 9), (1, 2, 2), (1, 1, 1), (4, 5, 6), (1, 6, 6)])
@pytest.mark.parametrize("ring_px", [(0, 1, 1), (0, 3, 3), (0, 1, 4), (1, 2, 3), (2, 1, 1)])
def test_the_ring_is_what_lies_near_the_border(shape, ring_px):
    record = _full(shape, ring_px)
    near = [
        np.ravel_multi_index(place, shape)
        for place in np.ndindex(*shape)
        if any(p < r or p >= n - r for p, r, n in zip(place, ring_px, shape, strict=True))
    ]
    assert record.ring_index.tolist() == near


def test_the_ring_holds_labelled_pixels_only():
    labels = np.array([[[0, 2], [1, 0]]], dtype=np.int32)
    record = make_record(labels, np.array([7]), np.array([9]), ring_px=(0, 1, 1))
    assert record.ring_index.tolist() == [1, 2]
    assert record.ring_label.tolist() == [2, 1]
    assert record.area_px.tolist() == [1, 1]


def test_a_block_without_instances():
    record = make_record(np.zeros((1, 4, 4), np.int32), NONE, NONE, ring_px=(0, 1, 1))
    again = BlockRecord.from_bytes(record.to_bytes())
    assert again.area_px.size == again.ring_index.size == again.roots.size == 0
    assert again.area_px.dtype == np.int64


def test_nodes_without_pixels_have_no_area():
    record = make_record(np.array([[[1, 1]]], np.int32), np.array([1, 2]), np.array([5]), ring_px=(0, 0, 0))
    assert record.area_px.tolist() == [2, 0, 0]
