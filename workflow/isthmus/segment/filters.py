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
    if 0 <= index < length:
        return index
    if length == 1:
        return 0
    period = 2 * (length - 1)
    index = abs(index) % period
    return min(index, period - index)


@kernel
def _sum_rows(values: Any, before: Any, after: Any, weights: Any, total: Any) -> None:
    """Weighted sums, pixel by pixel, of rows of a flat array, with half a unit to round to nearest.

    Rows k of equal weight begin at before[k] and after[k]; k = 0 is the middle one. Two pairs are added at a time,
    for sums are loaded and stored each time.
    """
    n = np.uint64(total.size)
    middle, weight = before[0], weights[0]
    for x in range(n):
        total[x] = np.uint32(weight * values[middle + x]) + np.uint32(_HALF)
    k = 1
    while k + 1 < weights.size:
        a, b, c, d = before[k], after[k], before[k + 1], after[k + 1]
        near, far = weights[k], weights[k + 1]
        for x in range(n):
            one = np.uint32(near * np.uint32(values[a + x] + values[b + x]))
            two = np.uint32(far * np.uint32(values[c + x] + values[d + x]))
            total[x] += np.uint32(one + two)
        k += 2
    if k < weights.size:
        a, b, near = before[k], after[k], weights[k]
        for x in range(n):
            total[x] += np.uint32(near * np.uint32(values[a + x] + values[b + x]))


@kernel
def _round(total: Any, target: Any) -> None:
    """The whole part of sums with 16 bits behind the point."""
    for x in range(target.size):
        target[x] = total[x] >> np.uint32(16)


@kernel
def mirror_ends(line: Any, pad: int) -> None:
    """Fill `pad` pixels at both ends of a row from those between them."""
    n = line.size - 2 * pad
    for k in range(1, pad + 1):
        line[pad - k] = line[pad + mirrored(-k, n)]
        line[pad + n - 1 + k] = line[pad + mirrored(n - 1 + k, n)]


@kernel
def _blur(source: Any, layout: Any, down: Any, along: Any, target: Any) -> None:
    """Blur flat arrays down the columns, then along the rows, a row at a time.

    layout = number of images, of rows in each, of columns; steps from image to image and from row to row.
    """
    images, rows, columns, image_step, row_step = layout
    total = np.empty(columns, np.uint32)
    pad = along.size - 1
    line = np.empty(columns + 2 * pad, np.uint16)
    above, below = np.empty(down.size, np.uint64), np.empty(down.size, np.uint64)
    west, east = pad - np.arange(along.size), pad + np.arange(along.size)
    west, east = west.astype(np.uint64), east.astype(np.uint64)
    for image in range(images):
        start = image * image_step
        for row in range(rows):
            for k in range(down.size):
                above[k] = start + mirrored(row - k, rows) * row_step
                below[k] = start + mirrored(row + k, rows) * row_step
            _sum_rows(source, above, below, down, total)
            _round(total, line[pad : pad + columns])
            mirror_ends(line, pad)
            _sum_rows(line, west, east, along, total)
            at = start + row * row_step
            _round(total, target[at : at + columns])


def gaussian_blur(pixels: NDArray[np.uint16], weights: tuple[tuple[int, ...], ...]) -> NDArray[np.uint16]:
    """Blur uint16 (z, y, x) with one half kernel an axis; rounds to nearest after each axis.

    Support along an axis: len(weights[axis]) - 1 pixels.
    """
    nz, ny, nx = pixels.shape
    along_z, along_y, along_x = (np.array(half, np.uint32) for half in weights)
    none = np.array([WEIGHT_SUM], np.uint32)
    result = np.ascontiguousarray(pixels)
    for down, along, layout in (
        (along_z, none, (ny, nz, nx, nx, ny * nx)),
        (along_y, along_x, (nz, ny, nx, ny * nx, nx)),
    ):
        if (down.size > 1 and layout[1] > 1) or along.size > 1:
            target = np.empty_like(result)
            _blur(result.reshape(-1), layout, down, along, target.reshape(-1))
            result = target
    return result


@kernel
def _divide(total: Any, scale: Any, shift: Any) -> Any:
    """A whole number of 32 bits over another, given as scale / 2**shift."""
    return (np.uint64(total) * np.uint64(scale)) >> shift


@kernel
def _slide(entering: Any, leaving: Any, scale: Any, shift: Any, total: Any, means: Any) -> None:
    """Means of boxes down the columns; the boxes then move on by a row."""
    for x in range(total.size):
        means[x] = _divide(total[x], scale, shift)
        total[x] += np.uint32(entering[x]) - np.uint32(leaving[x])


@kernel
def _box_along(line: Any, radius: int, scale: Any, shift: Any, sums: Any, means: Any) -> None:
    """Means of 2 * radius + 1 pixels of a row; `line` has `radius` pixels more at each end.

    sums[x] = radius + the first x pixels; they may overflow, differences of them are right all the same.
    """
    total = np.uint32(0)
    for x in range(line.size):
        sums[x] = total
        total = np.uint32(total + line[x])
    sums[line.size] = total
    end, start = sums[2 * radius + 1 :], sums
    for x in range(means.size):
        means[x] = _divide(np.uint32(end[x] - start[x] + np.uint32(radius)), scale, shift)


@kernel
def _box(source: Any, layout: Any, reach: Any, scales: Any, target: Any) -> None:
    """Means of flat arrays over boxes down the columns, then along the rows, by running sums.

    layout as for `_blur`; reach = radius down and along, scales = scale and shift for each.
    """
    images, rows, columns, image_step, row_step = layout
    down, along = reach
    total = np.empty(columns, np.uint32)
    line = np.empty(columns + 2 * along, np.uint16)
    sums = np.empty(columns + 2 * along + 1, np.uint32)
    middle = line[along : along + columns]
    for image in range(images):
        start = image * image_step
        total[:] = down
        for k in range(-down, down + 1):
            at = start + mirrored(k, rows) * row_step
            _add(source[at : at + columns], total)
        for row in range(rows):
            enter = start + mirrored(row + down + 1, rows) * row_step
            leave = start + mirrored(row - down, rows) * row_step
            entering, leaving = source[enter : enter + columns], source[leave : leave + columns]
            _slide(entering, leaving, scales[0][0], scales[0][1], total, middle)
            mirror_ends(line, along)
            at = start + row * row_step
            _box_along(line, along, scales[1][0], scales[1][1], sums, target[at : at + columns])


@kernel
def _add(row: Any, total: Any) -> None:
    for x in range(total.size):
        total[x] += np.uint32(row[x])


def box_mean(pixels: NDArray[np.uint16], radius_px: tuple[int, int, int]) -> NDArray[np.uint16]:
    """Mean over a box of 2 * radius + 1 pixels an axis of uint16 (z, y, x), rounded to nearest an axis.

    Running sums: the cost does not depend on the radius. Radius at most 8191.
    """
    nz, ny, nx = pixels.shape
    z, y, x = (0 if n == 1 else radius for radius, n in zip(radius_px, pixels.shape, strict=True))
    result = np.ascontiguousarray(pixels)
    for reach, layout in (((z, 0), (ny, nz, nx, nx, ny * nx)), ((y, x), (nz, ny, nx, ny * nx, nx))):
        if any(reach):
            target = np.empty_like(result)
            scales = _reciprocal(reach[0]), _reciprocal(reach[1])
            _box(result.reshape(-1), layout, reach, scales, target.reshape(-1))
            result = target
    return result


def _reciprocal(radius: int) -> tuple[np.uint32, np.uint64]:
    """Scale and shift that divide a sum of 2 * radius + 1 pixels by their number, exactly, in 32 times 32 bits."""
    width = 2 * radius + 1
    shift = 30 + width.bit_length()
    return np.uint32((1 << shift) // width + 1), np.uint64(shift)
