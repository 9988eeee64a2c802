"""A background that changes over the image, from a bounded window: lowest values, smoothed. Integers only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.grid import Triple
from isthmus.segment.filters import box_mean

_MOST = np.uint16(65535)


def window_minimum(pixels: NDArray[np.uint16], radius_px: Triple) -> NDArray[np.uint16]:
    """Smallest value of a box of 2 * radius + 1 pixels an axis of uint16 (z, y, x); what lies outside does not count.

    Minima of 1, 2, 4, ... pixels are joined, so the cost grows with the logarithm of the radius.
    """
    for axis, radius in enumerate(radius_px):
        if radius == 0 or pixels.shape[axis] == 1:
            continue
        pixels = np.moveaxis(_line_minimum(np.moveaxis(pixels, axis, 0), radius), 0, axis)
    return np.ascontiguousarray(pixels)


def _line_minimum(pixels: NDArray[np.uint16], radius: int) -> NDArray[np.uint16]:
    length = pixels.shape[0]
    outside = np.full((radius, *pixels.shape[1:]), _MOST, np.uint16)
    least = np.concatenate((outside, pixels, outside))
    width = 1
    while 2 * width <= 2 * radius + 1:
        least = np.minimum(least[:-width], least[width:])
        width *= 2
    lowest: NDArray[np.uint16] = np.minimum(least[:length], least[2 * radius + 1 - width :][:length])
    return lowest


def without_background(
    pixels: NDArray[np.uint16], smooth: NDArray[np.uint16], radius_px: Triple
) -> NDArray[np.uint16]:
    """Pixels above the background around them, 0 where they are not.

    The background is the smallest value of `smooth`, the pixels without noise, in a box of `radius_px`, averaged over
    the same box, so that it has no steps. Support: twice the radius.
    """
    around = box_mean(window_minimum(smooth, radius_px), radius_px)
    return np.where(pixels > around, pixels - around, 0).astype(np.uint16)
