"""Order statistics that are selected are those read off sorted values; grouped values are those of the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.quantify.groups import group_spans
from isthmus.quantify.ranks import select_ranks
from isthmus.quantify.spans import find_spans
from isthmus.quantify.values import order_statistics, sort_segments

SEGMENT = st.tuples(st.integers(0, 150), st.sampled_from([0, 1, 900, 65_000, 65_535]), st.integers(1, 65_536))


def _segments(drawn, seed):
    random = np.random.default_rng(seed)
    parts = [random.integers(low, min(low + span, 65_536), n) for n, low, span in drawn]
    offsets = np.append(0, np.cumsum([part.size for part in parts])).astype(np.int64)
    return np.concatenate(parts).astype(np.uint16), offsets


@settings(deadline=None, max_examples=60)
@given(
    st.lists(SEGMENT, min_size=1, max_size=5),
    st.lists(st.integers(0, 100_000), max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_selected_is_sorted(drawn, milli, seed):
    values, offsets = _segments(drawn + drawn[::-1], seed)
    milli = np.array(milli, dtype=np.int64)
    wanted = np.random.default_rng(seed).integers(0, 3, len(drawn)) > 0
    selected = select_ranks(values, offsets, milli, wanted)
    sort_segments(values, offsets, np.ones(len(drawn), dtype=bool))
    expected = order_statistics(values, offsets, milli)
    expected[~wanted] = 0
    assert np.array_equal(selected, expected)


@pytest.mark.parametrize("value", [0, 65_535])
def test_the_ends_of_the_range(value):
    values, offsets = np.full(7, value, dtype=np.uint16), np.array([0, 3, 7])
    found = select_ranks(values, offsets, np.array([0, 50_000, 100_000]), np.ones(1, dtype=bool))
    assert (found == value).all()


def test_only_what_is_wanted_is_sorted():
    values, offsets = np.array([2, 1, 4, 3, 6, 5], dtype=np.uint16), np.array([0, 2, 2, 4, 6])
    sort_segments(values, offsets, np.array([False, True]))
    assert values.tolist() == [2, 1, 3, 4, 5, 6]


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 60)),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(0, 2**32 - 1),
)
def test_groups_hold_the_pixels_of_each_compartment_in_their_order(shape, dtype, seed):
    random = np.random.default_rng(seed)
    cells = np.repeat(random.integers(0, 5, shape), random.integers(1, 30), axis=2).astype(np.int32)
    nuclei = np.where(random.integers(0, 3, cells.shape) == 0, cells, 0).astype(np.int32)
    pixels = random.integers(0, np.iinfo(dtype).max, cells.shape, dtype=dtype)
    groups = group_spans(find_spans(cells, nuclei), 4, cells.shape[2])
    values = groups.values(pixels)
    assert values.size == (cells > 0).sum()
    for number in range(1, 5):
        for part, inside in enumerate((nuclei == number, (cells == number) & (nuclei == 0))):
            begin, stop = groups.offsets[2 * number - 2 + part : 2 * number + part]
            assert np.array_equal(values[begin:stop], pixels[inside])
