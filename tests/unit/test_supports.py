"""Each operator looks as far as it says: one pixel less along any axis shows, what it says is enough."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isthmus.segment.background import window_minimum, without_background
from isthmus.segment.filters import box_mean, gaussian_blur, gaussian_weights
from isthmus.segment.grooves import groove_depth, groove_reach
from isthmus.segment.saddles import FINE, bridge_reach, bridge_saddles
from isthmus.segment.shapes import clipped_distance, enclosed_pixels

WEIGHTS = (gaussian_weights(0.7), gaussian_weights(1.2), gaussian_weights(1.0))


def _noise(random, shape):
    return random.integers(0, 65536, shape).astype(np.uint16)


def _sparse(random, shape):
    return random.random(shape) < 0.3


def _dense(random, shape):
    return random.random(shape) > 0.02


OPERATORS = {
    "Gaussian": (lambda a: gaussian_blur(a, WEIGHTS), _noise, tuple(len(w) - 1 for w in WEIGHTS)),
    "box": (lambda a: box_mean(a, (1, 3, 2)), _noise, (1, 3, 2)),
    "minimum": (lambda a: window_minimum(a, (2, 3, 1)), _noise, (2, 3, 1)),
    "background": (lambda a: without_background(a, a, (0, 2, 3)), _noise, (0, 4, 6)),
    "distance": (lambda a: clipped_distance(a, (40, 16, 16), 16 * 16 + 1), _dense, (2, 4, 4)),
    "enclosed": (lambda a: enclosed_pixels(a, 3), _sparse, (0, 3, 3)),
    "grooves": (lambda a: groove_depth(a, 4, 2), _noise, (0, groove_reach(4, 2), groove_reach(4, 2))),
}


def _cut(operator, image, support, axis):
    """The middle of an image from a part of it that reaches `support` farther along one axis only."""
    middle = image.shape[axis] // 2
    start, stop = middle - support, middle + support + 1
    part = np.ascontiguousarray(np.take(image, range(start, stop), axis=axis))
    return np.take(operator(part), support, axis=axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", OPERATORS)
def test_the_support_is_enough_and_one_less_is_not(name, axis):
    operator, make, support = OPERATORS[name]
    shape = tuple(2 * s + 5 if a == axis else 9 for a, s in enumerate(support))
    seen = False
    for seed in range(60):
        image = make(np.random.default_rng(seed), shape)
        whole = np.take(operator(image), shape[axis] // 2, axis=axis)
        assert np.array_equal(_cut(operator, image, support[axis], axis), whole)
        if support[axis] > 0 and not seen:
            seen = not np.array_equal(_cut(operator, image, support[axis] - 1, axis), whole)
    assert seen or support[axis] == 0


def _hills(random, shape):
    smooth = ndimage.gaussian_filter(random.normal(size=shape), [0.8 if n > 1 else 0 for n in shape])
    return np.clip(20000 + 9000 * smooth / smooth.std(), 0, 65535).astype(np.uint16)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_support_of_necks_is_enough(axis):
    reach = (1, 3, 2)
    support = bridge_reach(reach)[axis]
    shape = tuple(2 * s + 5 if a == axis else 9 for a, s in enumerate(bridge_reach(reach)))
    for seed in range(40):
        image = _hills(np.random.default_rng(seed), shape)
        whole = np.take(bridge_saddles(image, 900, reach), shape[axis] // 2, axis=axis)
        assert np.array_equal(_cut(lambda a: bridge_saddles(a, 900, reach), image, support, axis), whole)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_path_depends_on_what_lies_twice_the_reach_away(axis):
    """A summit with higher pixels on both sides: the nearer one, beyond the summit, spares the path to the other."""
    heights = {
        (0, -2): 1002,  # met after two steps
        (0, -1): 950,
        (0, 0): 1000,  # the summit
        (0, 1): 950,
        (1, 2): 950,  # on the path to the other, which takes three steps
        (2, 2): 1001,
    }
    image = np.zeros((7, 7, 7), np.uint16)
    for (across, along), height in heights.items():
        place = [3, 3, 3]
        place[axis] += along
        place[axis - 1] += across
        image[tuple(place)] = height
    reach = (2, 2, 2)
    assert bridge_reach(reach)[axis] == 4
    whole = bridge_saddles(image, 900, reach)
    near, far = (np.ascontiguousarray(np.take(image, range(5 - support, 7), axis=axis)) for support in (3, 4))
    last = np.take(whole, 5, axis=axis)
    assert np.array_equal(np.take(bridge_saddles(far, 900, reach), 4, axis=axis), last)
    assert not np.array_equal(np.take(bridge_saddles(near, 900, reach), 3, axis=axis), last)


def test_without_reach_necks_change_nothing():
    image = _hills(np.random.default_rng(0), (1, 20, 20))
    assert np.array_equal(bridge_saddles(image, 900, (0, 0, 0)), image.astype(np.uint32) * FINE)
    assert bridge_reach((0, 0, 0)) == (0, 0, 0)
    assert bridge_reach((0, 3, 3)) == (1, 6, 6)
