"""The halo of all operators of `basins` together, necks included: enough, and one pixel less is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_basins import tiny_parameters

from isthmus.segment.basins import landscape
from isthmus.segment.basins_parameters import landscape_halo_px, supports

ROWS = """
0604002000200
0022224400200
0220128400008
0022828220624
0000000086200
0000006022222
2080008204142
0000000020022
"""
"""An image (in units of 250) in which its second column matters for the twelfth, found among 60 million places of
random images and made simpler."""


@pytest.mark.parametrize("axis", [1, 2])
def test_the_halo_with_necks_is_enough_and_one_pixel_less_is_not(axis: int) -> None:
    pixels = 250 * np.array([[[int(digit) for digit in row] for row in ROWS.split()]], dtype=np.uint16)
    pixels = np.ascontiguousarray(pixels if axis == 2 else pixels.swapaxes(1, 2))
    parameters = replace(tiny_parameters(is_volume=False), neck_px=(0, 2, 2), neck_share=400)
    assert supports(parameters)["necks"][axis] == 4
    halo, start = landscape_halo_px(parameters)[axis], 11
    assert halo == 10

    def block(read: int) -> np.ndarray:
        """The landscape from `start` on, of the pixels from `read` on."""
        part = np.ascontiguousarray(np.take(pixels, range(read, pixels.shape[axis]), axis=axis))
        made = landscape(part, parameters)
        return np.take(made, range(start - read, made.shape[axis]), axis=axis)

    assert np.array_equal(block(start - halo), block(0))
    assert not np.array_equal(block(start - halo + 1), block(0))
