"""Three ways to the same instances: pixel by pixel in plain Python, the whole image in numpy, and blocks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracle import cut_labels, oracle_labels
from whole_image import whole_labels

SHAPES = st.tuples(st.sampled_from([1, 1, 2, 4]), st.integers(1, 12), st.integers(1, 12))
RADII = st.tuples(*[st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0])] * 3)
BLOCKS = st.tuples(st.integers(1, 4), st.integers(1, 13), st.integers(1, 13))


@given(SHAPES, RADII, BLOCKS, st.sampled_from([2, 3, 9, 65_536]), st.integers(1, 6), st.integers(0, 99))
def test_three_ways_lead_to_the_same_instances(shape, radius_px, block_px, top, min_area_px, seed):
    landscape = np.random.default_rng(seed).integers(0, top, shape).astype(np.uint16)
    options = {"radius_px": radius_px, "min_area_px": min_area_px}
    labels, roots = whole_labels(landscape, **options)
    assert np.array_equal(labels, oracle_labels(landscape, **options))
    assert np.array_equal(labels, cut_labels(landscape, block_px, **options))
    assert np.array_equal(labels.reshape(-1)[roots], np.arange(1, roots.size + 1))
