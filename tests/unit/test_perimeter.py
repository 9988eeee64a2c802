"""Border pixels by kind: the same however many instances there are, and whatever window is looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import perimeter

from isthmus.quantify.perimeter import WEIGHTS, border_kinds


def _whole(labels):
    return tuple(slice(0, n) for n in labels.shape)


@settings(deadline=None, max_examples=60)
@given(st.tuples(st.integers(1, 14), st.integers(1, 14)), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_kinds_are_those_of_scikit_image(shape, n, seed):
    labels = np.random.default_rng(seed).integers(0, n + 1, shape).astype(np.int32)
    counts = border_kinds(labels, _whole(labels), n)
    for number in range(1, n + 1):
        expected = perimeter(labels == number, neighborhood=4)
        assert (counts[number - 1] * WEIGHTS).sum() == pytest.approx(expected)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 17), st.integers(1, 17), st.integers(0, 2**32 - 1))
def test_windows_add_up(first, second, seed):
    labels = np.random.default_rng(seed).integers(0, 3, (18, 18)).astype(np.int32)
    total = np.zeros((2, 3), dtype=np.int64)
    for rows in (slice(0, first), slice(first, 18)):
        for columns in (slice(0, second), slice(second, 18)):
            total += border_kinds(labels, (rows, columns), 2)
    assert np.array_equal(total, border_kinds(labels, _whole(labels), 2))


@pytest.mark.parametrize("more", [65_533, 65_534, 65_535, 70_000])
def test_numbers_may_need_more_than_sixteen_bits(more):
    labels = np.random.default_rng(4).integers(0, 3, (20, 30)).astype(np.int32)
    labels[:, 15:] *= 2
    expected = border_kinds(labels, _whole(labels), 4)
    counts = border_kinds(np.where(labels > 0, labels + more, 0).astype(np.int32), _whole(labels), 4 + more)
    assert np.array_equal(counts[more:], expected)
    assert not counts[:more].any()
