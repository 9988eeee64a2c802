"""Integer filters against scipy and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from isthmus.segment.filters import WEIGHT_SUM, box_mean, gaussian_blur, gaussian_weights, groove_depth
from isthmus.segment.shapes import clipped_distance, cone_offsets, enclosed_pixels, raise_cones
from isthmus.segment.tone import OCTAVE, tone_table, two_classes

SHAPES = [(1, 40, 53), (7, 20, 31), (1, 1, 1), (1, 2, 3), (2, 1, 5), (1, 30, 1)]


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 65536, shape).astype(np.uint16)


def whole(half):
    return np.array(half[:0:-1] + half) / WEIGHT_SUM


@pytest.mark.parametrize("sigma", [0.0, 0.3, 1.0, 2.35, 9.0])
def test_gaussian_weights_sum_exactly_and_fall_off(sigma):
    half = gaussian_weights(sigma)
    assert half[0] + 2 * sum(half[1:]) == WEIGHT_SUM
    assert list(half) == sorted(half, reverse=True)
    assert half[-1] > 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", [0.7, 2.4])
def test_gaussian_blur_is_scipys_up_to_rounding(shape, sigma):
    pixels, half = noise(shape), gaussian_weights(sigma)
    wanted = pixels.astype(float)
    for axis in range(3):
        wanted = ndimage.correlate1d(wanted, whole(half), axis, mode="mirror")
    assert np.abs(gaussian_blur(pixels, (half, half, half)) - wanted).max() <= 1.5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [(0, 1, 1), (1, 2, 5), (3, 70, 64)])
def test_box_mean_is_scipys_up_to_rounding(shape, radius):
    pixels = noise(shape)
    wanted = pixels.astype(float)
    for axis, r in enumerate(radius):
        wanted = ndimage.correlate1d(wanted, np.full(2 * r + 1, 1 / (2 * r + 1)), axis, mode="mirror")
    assert np.abs(box_mean(pixels, radius) - wanted).max() <= 1.5 + 1e-6


@pytest.mark.parametrize("value", [0, 1, 777, 65535])
def test_constant_images_stay_constant(value):
    pixels = np.full((3, 17, 19), value, np.uint16)
    half = gaussian_weights(3.3)
    assert (gaussian_blur(pixels, (half, half, half)) == value).all()
    assert (box_mean(pixels, (1, 5, 60)) == value).all()
    assert (groove_depth(pixels, 4) == 0).all()


def test_a_plane_of_a_volume_is_filtered_like_an_image():
    volume = noise((4, 21, 33))
    flat = ((WEIGHT_SUM,), gaussian_weights(1.7), gaussian_weights(1.7))
    for function in (
        lambda p: gaussian_blur(p, flat),
        lambda p: box_mean(p, (0, 3, 4)),
        lambda p: groove_depth(p, 3),
    ):
        assert np.array_equal(function(volume)[2:3], function(volume[2:3]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_filters_do_not_care_which_axis_is_which(seed, reach):
    pixels = noise((1, 14, 19), seed)
    turned = pixels.swapaxes(1, 2)
    mask = pixels > 30000
    assert np.array_equal(
        enclosed_pixels(mask, reach).swapaxes(1, 2), enclosed_pixels(mask.swapaxes(1, 2), reach)
    )
    assert np.array_equal(groove_depth(pixels, reach).swapaxes(1, 2), groove_depth(turned, reach))
    distance = clipped_distance(mask, (1, 1, 1), reach**2)
    assert np.array_equal(distance.swapaxes(1, 2), clipped_distance(mask.swapaxes(1, 2), (1, 1, 1), reach**2))


@settings(max_examples=30, deadline=None)
@given(arrays(np.bool_, (3, 9, 11)), st.tuples(*3 * [st.integers(1, 40)]), st.integers(2, 400))
def test_clipped_distance_is_exact(mask, step, limit):
    background = np.argwhere(~mask)
    wanted = np.full(mask.shape, limit)
    for place in np.argwhere(mask):
        if len(background):
            nearest = ((background - place) ** 2 * np.array(step)).sum(axis=1).min()
            wanted[tuple(place)] = min(limit, nearest)
    wanted[~mask] = 0
    assert np.array_equal(clipped_distance(mask, step, limit), wanted)


def test_enclosed_pixels_fill_a_hole_but_not_a_bay_nor_a_wide_hole():
    mask = np.zeros((1, 30, 60), bool)
    mask[0, 2:15, 2:15] = True
    mask[0, 7:10, 7:10] = False
    mask[0, 2:15, 20:33] = True
    mask[0, 7:10, 26:33] = False
    filled = enclosed_pixels(mask, 3)
    assert filled[0, 7:10, 7:10].all()
    assert not filled[0, 7:10, 31:33].any()
    assert not enclosed_pixels(mask, 1)[0, 8, 8]
    assert (filled >= mask).all()


def test_a_groove_is_as_deep_as_its_lower_rim_and_a_step_is_none():
    pixels = np.zeros((1, 9, 20), np.uint16)
    pixels[..., :8], pixels[..., 8:10], pixels[..., 10:] = 900, 500, 700
    depth = groove_depth(pixels, 3)
    assert (depth[..., 8:10] == 200).all()
    assert (depth[..., :8] == 0).all()
    assert (depth[..., 10:] == 0).all()


def test_cones_swallow_lower_peaks_within_their_share_only():
    values = np.zeros((1, 11, 40), np.uint16)
    values[0, 1:-1, 1:-1] = 100
    values[0, 5, 10], values[0, 5, 14], values[0, 5, 30] = 5000, 4000, 4500
    squared = np.where(values > 100, 64, 1).astype(np.int32)
    offsets = cone_offsets((1000, 1, 1), 64, 2)
    merged = raise_cones(values, squared, 1024 * 25 // 64, offsets)
    assert merged[0, 5, 14] == 5000 - 2 * 4
    assert merged[0, 5, 30] == 4500
    assert merged[0, 5, 16] == 4000 - 2 * 2
    assert (merged >= values).all()
    assert (merged[values == 0] == 0).all()
    small = raise_cones(values, squared, 1024 * 9 // 64, offsets)
    assert small[0, 5, 14] == 4000


def test_cone_offsets_are_the_ball_of_anisotropic_voxels():
    table = cone_offsets((9, 1, 1), 10, 4)
    assert {(z, y, x) for z, y, x in table[:, :3].tolist()} == {
        (z, y, x)
        for z in range(-2, 3)
        for y in range(-4, 5)
        for x in range(-4, 5)
        if 9 * z * z + y * y + x * x <= 10
    }
    assert (np.diff(table[:, 3]) >= 0).all()
    assert table[0].tolist() == [0, 0, 0, 0, 0]


def test_tones_are_the_logarithm_of_the_signal():
    table = tone_table(100, 300).astype(float)
    signal = np.maximum(np.arange(65536) - 100, 0)
    wanted = OCTAVE * np.log2(1 + signal / 300)
    assert np.abs(table - wanted).max() <= 1.01
    assert (np.diff(table) >= 0).all()
    assert table[:101].max() == 0


def test_tones_of_the_widest_range_fit():
    table = tone_table(0, 1)
    assert table[-1] == 65535
    with pytest.raises(ValueError, match="at least 1"):
        tone_table(0, 0)


def test_two_classes_are_otsus():
    levels = [2, 3, 4, 50, 60]
    assert two_classes(levels, [10, 10, 10, 4, 4]) == (3, 55)
    assert two_classes([7], [99]) is None
    assert two_classes([], []) is None
