"""Global statistics from histograms."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from isthmus.image.survey import ChannelSurvey


def _survey(values):
    return ChannelSurvey(np.bincount(np.asarray(values, dtype=np.int64), minlength=65_536))


@pytest.mark.parametrize("q", [0, 0.1, 1, 25, 50, 75, 99, 99.9, 100])
@pytest.mark.parametrize("top", [2, 900, 65_536])
def test_percentiles_are_values_of_the_image(q, top):
    values = np.random.default_rng(top).integers(0, top, 5000)
    # The rank is exact here; NumPy's inverted_cdf rounds 99.9 % of 5000 up to 4996.
    rank = max(1, ceil(Fraction(str(q)) * values.size / 100))
    assert _survey(values).percentile(q) == np.sort(values)[rank - 1]


def test_the_summary_is_that_of_the_pixels():
    values = np.random.default_rng(0).integers(5, 60_000, 3000)
    found = _survey(values).summary((1.0, 99.9))
    assert (found["n_pixels"], found["min"], found["max"]) == (3000, values.min(), values.max())
    assert found["mean"] == pytest.approx(values.mean(), rel=1e-14)
    assert set(found["percentiles"]) == {"1", "99.9"}


@pytest.mark.parametrize("value", [0, 7, 65_535])
def test_an_image_of_one_value(value):
    survey = _survey([value] * 10)
    assert {survey.percentile(q) for q in (0, 50, 100)} == {value}
    assert survey.summary(())["mean"] == value


def test_histograms_of_parts_add_up():
    one, other = np.arange(100), np.arange(50, 300)
    together = ChannelSurvey(_survey(one).histogram + _survey(other).histogram)
    assert np.array_equal(together.histogram, _survey(np.concatenate([one, other])).histogram)


def test_an_image_of_ten_to_the_twelve_bright_pixels():
    histogram = np.zeros(65_536, dtype=np.int64)
    histogram[65_535] = 10**12
    assert ChannelSurvey(histogram).summary((50.0,))["mean"] == 65_535
