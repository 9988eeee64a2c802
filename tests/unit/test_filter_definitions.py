"""Integer operators against their definitions in plain numpy, to the last bit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.segment.filters import WEIGHT_SUM, box_mean, gaussian_blur, gaussian_weights
from isthmus.segment.grooves import diagonal_px, groove_depth
from isthmus.segment.shapes import clipped_distance, enclosed_pixels
from isthmus.segment.tone import look_up

shapes = st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 40))
seeds = st.integers(0, 10**6)


def noise(shape, seed):
    random = np.random.default_rng(seed)
    return random.choice([random.integers(0, 65536, shape), np.full(shape, 65535)]).astype(np.uint16)


def mirrored(pixels, axis, step):
    """Pixels `step` further along an axis, mirrored at both end pixels."""
    n = pixels.shape[axis]
    index = np.abs(np.arange(n) + step) % max(1, 2 * (n - 1))
    return np.take(pixels, np.minimum(index, 2 * (n - 1) - index) if n > 1 else np.zeros(1, int), axis)


@settings(max_examples=30, deadline=None)
@given(shapes, seeds, st.tuples(*3 * [st.floats(0.1, 4)]))
def test_gaussian_blur_is_its_weighted_sum_rounded_an_axis(shape, seed, sigma):
    weights = tuple(gaussian_weights(s) for s in sigma)
    pixels = noise(shape, seed)
    wanted = pixels.astype(np.int64)
    for axis, half in enumerate(weights):
        total = sum(
            weight * mirrored(wanted, axis, k)
            for weight, step in zip(half, range(len(half)), strict=True)
            for k in {step, -step}
        )
        wanted = (total + WEIGHT_SUM // 2) // WEIGHT_SUM
    assert np.array_equal(gaussian_blur(pixels, weights), wanted)


@settings(max_examples=30, deadline=None)
@given(shapes, seeds, st.tuples(*3 * [st.integers(0, 50)]))
def test_box_mean_is_its_sum_divided_and_rounded_an_axis(shape, seed, radius):
    pixels = noise(shape, seed)
    wanted = pixels.astype(np.int64)
    for axis, r in enumerate(radius):
        total = sum(mirrored(wanted, axis, k) for k in range(-r, r + 1))
        wanted = (total + r) // (2 * r + 1)
    assert np.array_equal(box_mean(pixels, radius), wanted)


@settings(max_examples=30, deadline=None)
@given(shapes, seeds, st.integers(1, 15), st.floats(0, 1))
def test_enclosed_pixels_see_the_mask_in_eight_directions(shape, seed, reach, share):
    mask = np.random.default_rng(seed).random(shape) < share
    _, ny, nx = shape
    padded = np.pad(mask, ((0, 0), (reach, reach), (reach, reach)))
    wanted = np.ones(shape, bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if (dy, dx) != (0, 0):
                views = [
                    padded[:, reach + k * dy :, reach + k * dx :][:, :ny, :nx] for k in range(1, reach + 1)
                ]
                wanted &= np.any(views, axis=0)
    assert np.array_equal(enclosed_pixels(mask, reach), wanted | mask)


@settings(max_examples=30, deadline=None)
@given(shapes, seeds, st.integers(0, 9), st.integers(1, 6))
def test_groove_depth_is_the_deepest_of_four_second_differences(shape, seed, half, offset):
    pixels = noise(shape, seed)
    wanted = np.zeros(shape, np.int64)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        is_diagonal = dy != 0 and dx != 0
        h = diagonal_px(half) if is_diagonal else half
        r = max(1, diagonal_px(offset)) if is_diagonal else offset

        def mean(down, right, dy=dy, dx=dx, h=h):
            wide = pixels.astype(np.int64)
            total = sum(
                mirrored(mirrored(wide, 1, down + k * dy), 2, right + k * dx) for k in range(-h, h + 1)
            )
            return (total >> 4) * ((1 << 20) // (2 * h + 1)) >> 16

        around = mean(dx * r, -dy * r) + mean(-dx * r, dy * r)
        wanted = np.maximum(wanted, (around >> 1) - mean(0, 0))
    assert np.array_equal(groove_depth(pixels, half, offset), wanted)


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0, 1), st.sampled_from([32_767, 32_768, 100_000]))
def test_distances_do_not_depend_on_how_wide_their_numbers_are(seed, share, limit):
    mask = np.random.default_rng(seed).random((2, 9, 30)) < share
    distance = clipped_distance(mask, (9, 4, 5), limit)
    assert distance.dtype == (np.uint16 if limit < 32_768 else np.uint32)
    assert np.array_equal(np.minimum(distance, 500), clipped_distance(mask, (9, 4, 5), 500))


def test_a_table_is_looked_up_like_an_index():
    table = noise((300,), 1)
    for dtype in (np.uint16, np.uint32):
        keys = np.random.default_rng(2).integers(0, 300, (2, 5, 7)).astype(dtype)
        assert np.array_equal(look_up(table, keys), table[keys])
