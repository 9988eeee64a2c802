"""Pixels and places of instances read from a label image are those of the pixels, however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.blocks.grid import Grid
from isthmus.verify.label_sums import LabelSums, add_sums, sums_of_region


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12)),
    block_px=st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12)),
    n_ids=st.integers(0, 6),
    largest=st.sampled_from([6, 2**31, 2**62]),
    seed=st.integers(0, 2**32 - 1),
)
def test_sums_are_those_of_the_pixels(
    shape: tuple[int, int, int], block_px: tuple[int, int, int], n_ids: int, largest: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    ids = np.unique(random.integers(1, largest, n_ids, endpoint=True, dtype=np.int64))
    labels = random.choice(np.append(ids, 0), shape).astype(np.uint64)
    grid = Grid(shape, block_px)
    parts = [
        sums_of_region(labels[region.slices], region)
        for region in (grid.block(index).write for index in range(grid.n_blocks))
    ]
    found = add_sums(parts)
    there = np.unique(labels[labels > 0]).astype(np.int64)
    assert found.ids.tolist() == there.tolist()
    for number, places in zip(there, found.places.tolist(), strict=True):
        at = np.nonzero(labels == np.uint64(number))
        assert places == [int(axis.sum()) for axis in at]
    assert found.pixels.tolist() == [int((labels == np.uint64(i)).sum()) for i in there]


@pytest.mark.parametrize(
    "parts", [[], [sums_of_region(np.zeros((1, 3, 4), np.uint8), Grid((1, 3, 4), (1, 3, 4)).block(0).write)]]
)
def test_nothing_but_background(parts: list[LabelSums]) -> None:
    found = add_sums(parts)
    assert found.ids.size == found.pixels.size == found.places.size == 0
