"""Both passes on stored images: labels, ids and sums are those of one block, and the certificate says so."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from block_store import PixelsAreLandscape, assert_same_sums, run_blocks
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle import oracle_labels

from isthmus.blocks.grid import Region
from isthmus.certify.compare import compare_windows
from isthmus.certify.uncut import UncutJob

PLANES = st.tuples(st.just(1), st.integers(1, 22), st.integers(1, 22))
VOLUMES = st.tuples(st.integers(2, 7), st.integers(1, 9), st.integers(1, 9))
KINDS = st.sampled_from(["empty", "flat", "plateaus", "steep", "sparse", "ramp", "snake"])


def _pixels(shape: tuple[int, int, int], kind: str, seed: int) -> np.ndarray:
    """An image (1, z, y, x)."""
    random = np.random.default_rng(seed)
    if kind == "ramp":  # one instance over all blocks, its root in the last pixel
        made = 1 + np.arange(np.prod(shape)).reshape(shape)
    elif kind == "snake":  # one instance that winds through the image, a pixel wide
        made = np.zeros(shape, dtype=np.int64)
        made[:, ::2] = 5
        made[:, 1::4, -1:] = made[:, 3::4, :1] = 5
    elif kind == "sparse":
        made = np.where(random.random(shape) < 0.15, random.integers(1, 400, shape), 0)
    else:
        made = random.integers(
            *{"empty": (0, 1), "flat": (7, 8), "plateaus": (0, 4), "steep": (0, 65_536)}[kind], shape
        )
    return made.astype(np.uint16)[np.newaxis]


def _check(shape, block_px, kind, radius, expand_um, min_area_px, seed):
    pixels = _pixels(shape, kind, seed)
    method = PixelsAreLandscape(merge_radius_px=radius, is_volume=shape[0] > 1)
    options = {"method": method, "expand_um": expand_um, "min_area_px": min_area_px}
    with tempfile.TemporaryDirectory() as folder:
        whole = run_blocks(Path(folder) / "whole", pixels, shape, **options)
        assert np.array_equal(
            whole.nuclei, oracle_labels(pixels[0], radius_px=radius, min_area_px=min_area_px)
        )
        cut = run_blocks(Path(folder) / "cut", pixels, block_px, **options)
        assert np.array_equal(cut.nuclei, whole.nuclei)
        assert np.array_equal(cut.cells, whole.cells)
        assert_same_sums(cut.sums, whole.sums)
        assert np.array_equal(cut.lookup.roots, whole.lookup.roots)
        job = UncutJob(cut.segment, cut.quantify, min_area_px)
        results, skipped = compare_windows(job, [Region((0, 0, 0), shape)])
        assert (results[0].differing_pixels, skipped) == (0, [])


OPTIONS = (st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from([1, 2, 9]), st.integers(0, 99))


@settings(max_examples=25)
@example((1, 1, 1), (1, 9, 9), "flat", 2.0, 3.0, 1, 0)
@example((1, 1, 21), (1, 1, 2), "plateaus", 2.0, 1.0, 1, 0)
@example((1, 21, 1), (1, 1, 1), "steep", 1.0, 1.0, 2, 0)
@example((1, 6, 6), (1, 1, 1), "flat", 3.0, 3.0, 9, 0)
@example((1, 20, 20), (1, 3, 7), "snake", 0.0, 1.0, 1, 0)
@given(
    PLANES,
    st.tuples(st.just(1), st.integers(4, 23), st.integers(4, 23)),
    KINDS,
    st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    *OPTIONS,
)
def test_a_plane_is_the_same_in_any_blocks(shape, block_px, kind, radius, expand_um, min_area_px, seed):
    _check(shape, block_px, kind, (0.0, radius, radius), expand_um, min_area_px, seed)


@settings(max_examples=15)
@example((2, 3, 3), (1, 1, 1), "plateaus", (1.0, 1.0, 1.0), 1.0, 1, 0)
@given(
    VOLUMES,
    st.tuples(st.integers(1, 8), st.integers(3, 10), st.integers(3, 10)),
    KINDS,
    st.tuples(*[st.sampled_from([0.0, 1.0, 2.0])] * 3),
    *OPTIONS,
)
def test_a_volume_is_the_same_in_any_blocks(shape, block_px, kind, radius, expand_um, min_area_px, seed):
    _check(shape, block_px, kind, radius, expand_um, min_area_px, seed)
