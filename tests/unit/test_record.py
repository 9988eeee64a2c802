"""What a block says of itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus.segment.record import BlockRecord, make_record

NONE = np.empty(0, dtype=np.int64)


def _ring(record):
    """Label of each pixel of the ring."""
    runs = zip(
        record.ring_start.tolist(), record.ring_length.tolist(), record.ring_label.tolist(), strict=True
    )
    return {start + k: label for start, length, label in runs for k in range(length)}


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
    assert _ring(record) == dict.fromkeys(near, 1)


def test_the_ring_holds_labelled_pixels_only():
    labels = np.array([[[0, 2], [1, 0]]], dtype=np.int32)
    record = make_record(labels, np.array([7]), np.array([9]), ring_px=(0, 1, 1))
    assert _ring(record) == {1: 2, 2: 1}
    assert record.area_px.tolist() == [1, 1]


def test_a_block_without_instances():
    record = make_record(np.zeros((1, 4, 4), np.int32), NONE, NONE, ring_px=(0, 1, 1))
    again = BlockRecord.from_bytes(record.to_bytes())
    assert again.area_px.size == again.ring_start.size == again.roots.size == 0
    assert again.area_px.dtype == np.int64


def test_nodes_without_pixels_have_no_area():
    record = make_record(np.array([[[1, 1]]], np.int32), np.array([1, 2]), np.array([5]), ring_px=(0, 0, 0))
    assert record.area_px.tolist() == [2, 0, 0]


@settings(max_examples=60)
@given(
    labels=hnp.arrays(
        np.int32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9), elements=st.integers(0, 3)
    ),
    ring_px=st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)),
)
def test_ring_and_areas_of_any_labels(labels, ring_px):
    record = make_record(labels, np.arange(3), NONE, ring_px=ring_px)
    inner = np.zeros(labels.shape, dtype=bool)
    inner[tuple(slice(r, max(r, n - r)) for r, n in zip(ring_px, labels.shape, strict=True))] = True
    flat = np.where(inner, 0, labels).reshape(-1)
    assert _ring(record) == {int(k): int(flat[k]) for k in np.flatnonzero(flat)}
    assert record.ring_labels_at(np.arange(flat.size)).tolist() == flat.tolist()
    assert record.area_px.tolist() == [int((labels == k).sum()) for k in (1, 2, 3)]


def test_a_ring_of_many_runs_is_whole():
    # More runs than room is made for at first.
    labels = np.indices((1, 200, 200)).sum(axis=0).astype(np.int32) % 2
    record = make_record(labels, np.array([0]), NONE, ring_px=(0, 100, 100))
    assert record.ring_start.size == 20_000
    assert record.ring_length.sum() == labels.sum() == record.area_px[0]


def test_labels_seen_from_the_side_are_summarised_alike():
    labels = np.arange(24, dtype=np.int32).reshape(2, 3, 4) % 5
    turned = np.moveaxis(labels, 0, 2)
    ring = (1, 1, 1)
    one = make_record(turned, np.arange(4), NONE, ring_px=ring)
    other = make_record(turned.copy(), np.arange(4), NONE, ring_px=ring)
    assert one.to_bytes() == other.to_bytes()
