"""Integer filters against scipy and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from isthmus.segment.filters import WEIGHT_SUM, box_mean, gaussian_blur, gaussian_weights
from isthmus.segment.grooves import diagonal_px, groove_depth, groove_reach
from isthmus.segment.saddles import FINE, bridge_saddles
from isthmus.segment.shapes import clipped_distance, enclosed_pixels
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
    assert (groove_depth(pixels, 4, 2) == 0).all()


def test_a_plane_of_a_volume_is_filtered_like_an_image():
    volume = noise((4, 21, 33))
    flat = ((WEIGHT_SUM,), gaussian_weights(1.7), gaussian_weights(1.7))
    for function in (
        lambda p: gaussian_blur(p, flat),
        lambda p: box_mean(p, (0, 3, 4)),
        lambda p: groove_depth(p, 3, 2),
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
    assert np.array_equal(groove_depth(pixels, reach, 2).swapaxes(1, 2), groove_depth(turned, reach, 2))
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


def groove_by_definition(plane, half, offset):
    """Second differences of line means in floating point, the largest of four directions."""
    wanted = np.zeros(plane.shape)
    size = half + offset + 2
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        is_diagonal = dy != 0 and dx != 0
        h = diagonal_px(half) if is_diagonal else half
        r = max(1, diagonal_px(offset)) if is_diagonal else offset
        kernel = np.zeros((2 * size + 1, 2 * size + 1))
        for k in range(-h, h + 1):
            for side, weight in ((-r, 0.5), (0, -1), (r, 0.5)):
                kernel[size + k * dy + side * dx, size + k * dx - side * dy] += weight / (2 * h + 1)
        wanted = np.maximum(wanted, ndimage.correlate(plane.astype(float), kernel, mode="mirror"))
    return wanted


@pytest.mark.parametrize(("half", "offset"), [(1, 1), (5, 2), (3, 6), (0, 1)])
@pytest.mark.parametrize("shape", [(1, 40, 53), (1, 2, 3), (1, 1, 1), (1, 1, 30)])
def test_groove_depth_is_its_definition_up_to_rounding(shape, half, offset):
    pixels = noise(shape)
    error = groove_depth(pixels, half, offset)[0] - groove_by_definition(pixels[0], half, offset)
    assert np.abs(error).max() <= 20


def test_groove_depth_of_the_brightest_image_does_not_overflow():
    pixels = np.full((1, 30, 90), 65535, np.uint16)
    pixels[0, :, 45] = 0
    depth = groove_depth(pixels, 14, 3)
    assert (np.abs(depth[0, :, 45].astype(int) - 65535) < 20).all()
    assert (depth[0, :, :30] < 20).all()


def test_a_long_groove_is_deeper_than_a_speck_and_a_foot_counts_as_one():
    pixels = np.full((1, 41, 60), 1000, np.uint16)
    pixels[0, :, 15] = 400
    pixels[0, 20, 40] = 400
    depth = groove_depth(pixels, 6, 2)
    assert abs(int(depth[0, 20, 15]) - 600) <= 2
    assert depth[0, 20, 40] < 100
    step = np.where(np.arange(60) < 30, 1000, 400) * np.ones((1, 41, 1))
    foot = groove_depth(step.astype(np.uint16), 6, 2)[0, 20]
    assert abs(int(foot[30]) - 300) <= 2
    assert foot[29] < 10
    assert foot[40] == 0


def test_groove_reach_is_how_far_a_pixel_is_seen():
    for half, offset in ((1, 1), (9, 2), (3, 5), (4, 4)):
        pixels = np.full((1, 61, 61), 30000, np.uint16)
        pixels[0, 30, 30] = 65535
        _, y, x = np.nonzero(groove_depth(pixels, half, offset) > 40)
        assert max(np.abs(y - 30).max(), np.abs(x - 30).max()) <= groove_reach(half, offset)


def hills(*heights_and_saddles):
    """A ridge one pixel wide in a field of ones: heights five pixels apart, saddles halfway."""
    values = np.ones((1, 9, 5 * len(heights_and_saddles) + 6), np.uint16)
    x = 5 * np.arange(len(heights_and_saddles)) + 5
    values[0, 4, x[0] : x[-1] + 1] = np.interp(np.arange(x[0], x[-1] + 1), x, heights_and_saddles)
    return values


def summits(values):
    order = values.astype(np.int64) * values.size + np.arange(values.size).reshape(values.shape)
    return {x for _, y, x in np.argwhere(ndimage.maximum_filter(order, (1, 3, 3)) == order) if y == 4}


def test_a_shallow_saddle_is_bridged_and_a_deep_one_is_not():
    values = hills(4000, 3600, 6000, 3000, 5000)
    assert summits(values) == {5, 15, 25}
    bridged = bridge_saddles(values, 1024 * 8 // 10, (0, 12, 12))
    assert summits(bridged) == {15, 25}
    assert (bridged >= values.astype(np.uint32) * FINE).all()
    assert summits(bridge_saddles(values, 1024 * 5 // 10, (0, 12, 12))) == {15}
    assert summits(bridge_saddles(values, 1024, (0, 12, 12))) == {5, 15, 25}


def test_a_bridge_goes_no_further_than_its_reach():
    values = hills(4000, 3600, 6000)
    higher = int(np.argmax(values[0, 4] > 4000))
    assert summits(bridge_saddles(values, 800, (0, 12, higher - 5))) == {15}
    assert summits(bridge_saddles(values, 800, (0, 12, higher - 6))) == {5, 15}


def test_bridges_make_no_new_summit_and_leave_the_background():
    rng = np.random.default_rng(4)
    smooth = ndimage.gaussian_filter(rng.normal(size=(6, 50, 60)), (1, 3, 3))
    values = np.clip(20000 + 40000 * smooth / smooth.std(), 0, 60000).astype(np.uint16)
    bridged = bridge_saddles(values, 870, (3, 9, 9))
    assert ((bridged == 0) == (values == 0)).all()

    def tops(field):
        order = field.astype(np.int64) * field.size + np.arange(field.size).reshape(field.shape)
        return (ndimage.maximum_filter(order, 3) == order) & (field > 0)

    assert not (tops(bridged) & ~tops(values)).any()
    assert 0 < np.count_nonzero(tops(bridged)) < np.count_nonzero(tops(values))


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
