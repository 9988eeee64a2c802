"""Floating-point pixels in whole steps: never more than half a step off, nothing cut off in silence."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.steps import SteppedSource, fitting
from isthmus.readers.registry import read_sample

WINDOW = (slice(0, 1), slice(0, 3), slice(0, 4))


class _Pixels:
    def __init__(self, values):
        self.values = np.asarray(values, np.float32)

    def read(self, channel, window):
        return self.values[channel][window]


def stepped(values, steps=100.0):
    return SteppedSource(_Pixels(np.reshape(values, (1, 1, 1, -1))), steps, "image").read(
        0, (slice(0, 1), slice(0, 1), slice(0, np.size(values)))
    )


@given(st.lists(st.floats(0, 655, width=32), min_size=1, max_size=30), st.sampled_from([1.0, 10.0, 100.0]))
def test_at_most_half_a_step_off(values, steps):
    made = stepped(values, steps)
    assert made.dtype == np.uint16
    assert np.abs(made.ravel() / steps - np.asarray(values, np.float64)).max() <= 0.5 / steps + 1e-9


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=30))
def test_whole_numbers_stay_exactly(values):
    assert stepped(values, 1.0).ravel().tolist() == values


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            [700.0],
            "channel 0 has values up to 700, too large for 16 bit in steps of 1/100; set image.steps_per_unit to 50",
        ),
        ([-0.5, 1], "channel 0 has negative pixels, down to -0.5"),
        ([np.nan], "channel 0 has pixels that are no number"),
        ([np.inf], "channel 0 has pixels that are no number"),
    ],
)
def test_what_does_not_fit_is_told(values, said):
    with pytest.raises(UserError) as caught:
        stepped(values)
    assert str(caught.value).startswith(f"image: {said}")


@given(st.floats(1e-3, 1e6))
def test_the_steps_proposed_do_fit(high):
    assert np.rint(high * fitting(high)) <= 65535
    assert high * fitting(high) * 10 > 65535 / 5


def test_floating_point_tiff(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(3, 4) / 8
    tifffile.imwrite(tmp_path / "a.tif", values)
    row = {"sample": "a", "image": tmp_path / "a.tif", "pixel_size_um": 1.0, "where": "row 2"}
    assert read_sample(Sample(**row)).image.header.dtype == "float32", "the head asks how it is to be stored"
    part = read_sample(Sample(**row, steps_per_unit=8.0)).image
    assert (part.header.dtype, part.header.steps_per_unit) == ("uint16", 8.0)
    np.testing.assert_array_equal(part.open().read(0, WINDOW)[0], np.arange(12).reshape(3, 4))
