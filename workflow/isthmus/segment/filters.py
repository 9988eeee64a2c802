"""Integer image filters with bounded support, the same on every machine.

Arrays are (z, y, x). Each filter reads at most a declared number of pixels along an axis, works in integers
only and mirrors at the ends of the array without repeating the end pixel (d c b | a b c d | c b a). A block
that is cut at the image's edge is mirrored where the whole image is, so block and image agree to the bit.

Sums use 32 bits: 65535 * WEIGHT_SUM + WEIGHT_SUM / 2 is below 2**32, so no image can overflow them.
"""

from decimal import Decimal, localcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel

WEIGHT_SUM = 1 << 16
"""Sum of the weights of a kernel (16 bits behind the point)."""

_HALF = WEIGHT_SUM // 2


def gaussian_weights(sigma_px: float) -> tuple[int, ...]:
    """Return the right half of a Gaussian kernel, centre first, as integers.

    The whole kernel (centre once, the rest twice) sums to WEIGHT_SUM. It is cut at 3 sigma. Exponentials come
    from decimal arithmetic, which is correctly rounded everywhere; the maths library of a machine is not.
    """
    if sigma_px <= 0:
        return (WEIGHT_SUM,)
    with localcontext() as context:
        context.prec = 30
        two_variances = 2 * Decimal(sigma_px) ** 2
        radius = max(1, int(3 * Decimal(sigma_px) + Decimal("0.5")))
        heights = [(-Decimal(k * k) / two_variances).exp() for k in range(radius + 1)]
        total = heights[0] + 2 * sum(heights[1:])
        side = [int((height * WEIGHT_SUM / total).to_integral_value()) for height in heights[1:]]
    while side and side[-1] == 0:
        side.pop()
    return (WEIGHT_SUM - 2 * sum(side), *side)


@kernel
def mirrored(index: int, length: int) -> int:
    """Fold an index into 0..length-1 by mirroring at both end pixels; any distance is allowed."""
    if length == 1:
        return 0
    period = 2 * (length - 1)
    index = abs(index) % period
    return min(index, period - index)


@kernel
def _blur_outer(source: Any, weights: Any, target: Any) -> None:
    """Blur (n, m, k) along the middle axis; k is contiguous, so whole rows are added at once."""
    outer, rows, columns = source.shape
    total = np.empty(columns, np.uint32)
    for o in range(outer):
        for row in range(rows):
            centre = source[o, row]
            for x in range(columns):
                total[x] = np.uint32(_HALF) + weights[0] * np.uint32(centre[x])
            for k in range(1, weights.size):
                before = source[o, mirrored(row - k, rows)]
                after = source[o, mirrored(row + k, rows)]
                weight = weights[k]
                for x in range(columns):
                    total[x] += weight * (np.uint32(before[x]) + np.uint32(after[x]))
            for x in range(columns):
                target[o, row, x] = total[x] >> np.uint32(16)


@kernel
def _blur_inner(source: Any, weights: Any, target: Any) -> None:
    """Blur (n, m, k) along the last axis, a row at a time, from a copy mirrored at both ends."""
    outer, rows, columns = source.shape
    radius = weights.size - 1
    line = np.empty(columns + 2 * radius, np.uint32)
    total = np.empty(columns, np.uint32)
    for o in range(outer):
        for row in range(rows):
            for x in range(columns):
                line[radius + x] = source[o, row, x]
            for k in range(1, radius + 1):
                line[radius - k] = source[o, row, mirrored(-k, columns)]
                line[radius + columns - 1 + k] = source[o, row, mirrored(columns - 1 + k, columns)]
            for x in range(columns):
                total[x] = np.uint32(_HALF) + weights[0] * line[radius + x]
            for k in range(1, radius + 1):
                before = line[radius - k :]
                after = line[radius + k :]
                weight = weights[k]
                for x in range(columns):
                    total[x] += weight * (before[x] + after[x])
            for x in range(columns):
                target[o, row, x] = total[x] >> np.uint32(16)


def _along(axis: int, array: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """View a C-ordered (z, y, x) array so that `axis` (0 or 1) is the middle one of three."""
    nz, ny, nx = array.shape
    return array.reshape(1, nz, ny * nx) if axis == 0 else array


def gaussian_blur(pixels: NDArray[np.uint16], weights: tuple[tuple[int, ...], ...]) -> NDArray[np.uint16]:
    """Blur uint16 (z, y, x) with one half kernel an axis; rounds to nearest after each axis.

    Support along an axis: len(weights[axis]) - 1 pixels.
    """
    result = np.ascontiguousarray(pixels)
    for axis, half in enumerate(weights):
        if len(half) == 1 or result.shape[axis] == 1:
            continue
        target = np.empty_like(result)
        taps = np.array(half, np.uint32)
        if axis == 2:
            _blur_inner(result, taps, target)
        else:
            _blur_outer(_along(axis, result), taps, _along(axis, target))
        result = target
    return result


@kernel
def _box_outer(source: Any, radius: int, target: Any) -> None:
    """Mean of 2 * radius + 1 pixels along the middle axis of (n, m, k), by running sums."""
    outer, rows, columns = source.shape
    width = np.uint64(2 * radius + 1)
    scale = np.uint64((1 << 40) // (2 * radius + 1) + 1)
    total = np.empty(columns, np.uint32)
    for o in range(outer):
        total[:] = width // np.uint64(2)
        for k in range(-radius, radius + 1):
            line = source[o, mirrored(k, rows)]
            for x in range(columns):
                total[x] += np.uint32(line[x])
        for row in range(rows):
            entering = source[o, mirrored(row + radius + 1, rows)]
            leaving = source[o, mirrored(row - radius, rows)]
            for x in range(columns):
                target[o, row, x] = (np.uint64(total[x]) * scale) >> np.uint64(40)
                total[x] += np.uint32(entering[x]) - np.uint32(leaving[x])


@kernel
def _box_inner(source: Any, radius: int, target: Any) -> None:
    """Mean of 2 * radius + 1 pixels along the last axis of (n, m, k), by running sums."""
    outer, rows, columns = source.shape
    scale = np.uint64((1 << 40) // (2 * radius + 1) + 1)
    line = np.empty(columns + 2 * radius + 1, np.uint32)
    for o in range(outer):
        for row in range(rows):
            for x in range(columns):
                line[radius + x] = source[o, row, x]
            for k in range(1, radius + 1):
                line[radius - k] = source[o, row, mirrored(-k, columns)]
                line[radius + columns - 1 + k] = source[o, row, mirrored(columns - 1 + k, columns)]
            line[columns + 2 * radius] = 0
            total = np.uint64(radius)
            for x in range(2 * radius + 1):
                total += np.uint64(line[x])
            for x in range(columns):
                target[o, row, x] = (total * scale) >> np.uint64(40)
                total += np.uint64(line[x + 2 * radius + 1]) - np.uint64(line[x])


def box_mean(pixels: NDArray[np.uint16], radius_px: tuple[int, int, int]) -> NDArray[np.uint16]:
    """Mean over a box of 2 * radius + 1 pixels an axis of uint16 (z, y, x), rounded to nearest an axis.

    Running sums: the cost does not depend on the radius. Radius at most 32767.
    """
    result = np.ascontiguousarray(pixels)
    for axis, radius in enumerate(radius_px):
        if radius == 0 or result.shape[axis] == 1:
            continue
        target = np.empty_like(result)
        if axis == 2:
            _box_inner(result, radius, target)
        else:
            _box_outer(_along(axis, result), radius, _along(axis, target))
        result = target
    return result
