"""Bins of pixels and back: means, basins that stay the same, outlines, cuts anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import oracle_labels
from scipy import ndimage

from isthmus.blocks.grid import Region
from isthmus.segment.lattice import LANDSCAPE_TOP, MOST_PX, bin_means, to_pixels

LATTICES = [(1, 2, 2), (1, 4, 4), (1, 8, 2), (1, 1, 2), (2, 2, 2), (1, MOST_PX, MOST_PX)]

NO_MERGE = (0.0, 0.0, 0.0)


def fields(shape, seed=0, sigma=1.5):
    """A smooth field and a landscape that is not 0 where the field is above one half."""
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=shape), [0 if n == 1 else sigma for n in shape])
    field = np.clip(32767 + 30000 * noise / np.abs(noise).max(), 0, 65535).astype(np.uint16)
    values = np.where(field > 32767, random.integers(1, LANDSCAPE_TOP, shape), 0).astype(np.uint32)
    return field, values


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from(LATTICES),
    st.integers(0, 2**32 - 1),
)
def test_a_bin_is_the_rounded_mean_of_its_pixels(shape, lattice_px, seed):
    pixels = np.random.default_rng(seed).integers(0, 65536, shape).astype(np.uint16)
    found = bin_means(pixels, lattice_px)
    for place in np.ndindex(found.shape):
        part = pixels[tuple(slice(p * n, (p + 1) * n) for p, n in zip(place, lattice_px, strict=True))]
        assert found[place] == (2 * int(part.astype(np.int64).sum()) + part.size) // (2 * part.size)


def test_no_lattice_changes_nothing():
    field, values = fields((1, 9, 9))
    assert bin_means(field, (1, 1, 1)) is field
    assert to_pixels(field, values, (1, 1, 1), (1, 9, 9)) is values


@pytest.mark.parametrize("lattice_px", [(1, 3, 2), (1, 2, 0), (1, 2 * MOST_PX, 1)])
def test_bins_of_other_sizes_are_refused(lattice_px):
    field, values = fields((1, 4, 4))
    with pytest.raises(ValueError, match="powers of two"):
        bin_means(field, lattice_px)
    with pytest.raises(ValueError, match="powers of two"):
        to_pixels(field, values, lattice_px, (1, 8, 8))


@pytest.mark.parametrize("lattice_px", LATTICES)
def test_the_brightest_image_does_not_overflow(lattice_px):
    field = np.full((2, 3, 3), 65535, np.uint16)
    values = np.full((2, 3, 3), LANDSCAPE_TOP, np.uint32)
    shape = tuple(n * size for n, size in zip(lattice_px, field.shape, strict=True))
    pixels = to_pixels(field, values, lattice_px, shape)
    assert (pixels >> 8 == LANDSCAPE_TOP).all()
    assert (bin_means(np.full(shape, 65535, np.uint16), lattice_px) == 65535).all()


@pytest.mark.parametrize("lattice_px", LATTICES)
@pytest.mark.parametrize("seed", range(4))
def test_basins_of_pixels_are_basins_of_bins(lattice_px, seed):
    bins = (2 if lattice_px[0] > 1 else 1, 6, 40 // lattice_px[2] + 4)
    # No two bins are equal: what follows on equal bins is the next test.
    values = np.random.default_rng(seed).permutation(np.prod(bins)).reshape(bins).astype(np.uint32) + 1
    everywhere = np.full(bins, 65535, np.uint16)
    shape = tuple(n * size for n, size in zip(lattice_px, bins, strict=True))
    of_bins = oracle_labels(values, radius_px=NO_MERGE)
    of_pixels = oracle_labels(to_pixels(everywhere, values, lattice_px, shape), radius_px=NO_MERGE)
    # Summits stay in number and place; the lines between basins may move within a bin.
    middle = tuple(slice(n // 2, None, n) for n in lattice_px)
    assert of_pixels.max() == of_bins.max()
    assert np.array_equal(np.sort(of_pixels[middle][_summits(values)]), np.sort(of_bins[_summits(values)]))


def test_a_plateau_of_bins_becomes_one_where_summits_merge():
    values = np.full((1, 9, 9), 5, np.uint32)
    pixels = to_pixels(np.full((1, 9, 9), 65535, np.uint16), values, (1, 2, 2), (1, 18, 18))
    assert oracle_labels(pixels, radius_px=(0.0, 7.2, 7.2)).max() == 1


def _summits(values):
    order = values.astype(np.int64) * values.size + np.arange(values.size).reshape(values.shape)
    return ndimage.maximum_filter(order, [1 if n == 1 else 3 for n in values.shape]) == order


@pytest.mark.parametrize("lattice_px", [(1, 2, 2), (1, 4, 4), (2, 2, 2)])
def test_the_outline_is_where_the_interpolated_field_passes_one_half(lattice_px):
    field, values = fields((3 if lattice_px[0] > 1 else 1, 12, 15), seed=5)
    shape = tuple(n * size for n, size in zip(lattice_px, field.shape, strict=True))
    place = np.meshgrid(
        *[(np.arange(size) + 0.5) / n - 0.5 for size, n in zip(shape, lattice_px, strict=True)], indexing="ij"
    )
    wanted = ndimage.map_coordinates(field.astype(np.float64), place, order=1, mode="nearest") > 32767
    found = to_pixels(field, values, lattice_px, shape) > 0
    assert 0.1 < wanted.mean() < 0.9
    assert np.array_equal(found, wanted)


def test_pixels_of_the_outline_climb_into_a_bin_that_is_inside():
    field, values = fields((1, 30, 30), seed=2)
    pixels = to_pixels(field, values, (1, 4, 4), (1, 120, 120))
    outer = (pixels > 0) & (pixels < 256)
    assert outer.any()
    labels = oracle_labels(pixels, radius_px=NO_MERGE)
    has_inside = np.unique(labels[pixels >= 256])
    assert np.isin(labels[outer], has_inside).mean() > 0.999


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_bin_more_on_each_side_is_enough_and_none_is_not(axis):
    lattice_px = (2, 2, 4)
    field, values = fields((9, 11, 10), seed=7)
    shape = tuple(n * size for n, size in zip(lattice_px, field.shape, strict=True))
    whole = to_pixels(field, values, lattice_px, shape)
    for more, enough in ((1, True), (0, False)):
        start = tuple(4 - more if a == axis else 0 for a in range(3))
        stop = tuple(6 + more if a == axis else size for a, size in enumerate(field.shape))
        bins = Region(start, stop)
        part = bins.slices
        got = to_pixels(
            np.ascontiguousarray(field[part]),
            np.ascontiguousarray(values[part]),
            lattice_px,
            tuple(n * size for n, size in zip(lattice_px, bins.shape, strict=True)),
        )
        n = lattice_px[axis]
        inner = np.take(got, range(more * n, (more + 2) * n), axis=axis)
        assert np.array_equal(inner, np.take(whole, range(4 * n, 6 * n), axis=axis)) == enough
