"""Wherever an image is cut, instances and ids are those of the whole image."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracle import cut_labels, oracle_labels

PLANES = st.tuples(st.just(1), st.integers(1, 14), st.integers(1, 14))
VOLUMES = st.tuples(st.integers(2, 5), st.integers(1, 7), st.integers(1, 7))
RADII = st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0])
LANDSCAPES = st.sampled_from(["ties", "flat", "steep", "holes", "ramp"])


def _landscape(shape: tuple[int, int, int], kind: str, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    if kind == "flat":
        return np.full(shape, 7, dtype=np.uint16)
    if kind == "steep":
        return random.integers(0, 65536, shape).astype(np.uint16)
    if kind == "ramp":
        return (1 + np.arange(np.prod(shape)).reshape(shape)).astype(np.uint16)
    top = 3 if kind == "ties" else 2
    return random.integers(0, top, shape).astype(np.uint16)


@given(
    PLANES,
    st.tuples(st.just(1), st.integers(1, 15), st.integers(1, 15)),
    RADII,
    RADII,
    LANDSCAPES,
    st.integers(0, 9),
)
def test_a_plane_may_be_cut_anywhere(shape, block_px, radius_y, radius_x, kind, seed):
    landscape = _landscape(shape, kind, seed)
    radius = (0.0, radius_y, radius_x)
    cut = cut_labels(landscape, block_px, radius_px=radius)
    assert np.array_equal(cut, oracle_labels(landscape, radius_px=radius))


@given(
    VOLUMES,
    st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(1, 8)),
    st.tuples(st.sampled_from([0.0, 1.0, 2.0]), RADII, RADII),
    LANDSCAPES,
    st.integers(0, 9),
)
def test_a_volume_may_be_cut_anywhere(shape, block_px, radius, kind, seed):
    landscape = _landscape(shape, kind, seed)
    cut = cut_labels(landscape, block_px, radius_px=radius)
    assert np.array_equal(cut, oracle_labels(landscape, radius_px=radius))


@given(PLANES, st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(0, 9))
def test_small_instances_are_judged_whole(shape, block_y, block_x, min_area, seed):
    landscape = _landscape(shape, "ties", seed)
    radius = (0.0, 1.0, 1.0)
    cut = cut_labels(landscape, (1, block_y, block_x), radius_px=radius, min_area_px=min_area)
    assert np.array_equal(cut, oracle_labels(landscape, radius_px=radius, min_area_px=min_area))
