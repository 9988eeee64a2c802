"""How deep the dark line is that a pixel lies on: second differences of line means, in whole numbers.

Between two nuclei that touch runs a dark line, and at the foot of a bright nucleus that lies over a dimmer one the
brightness bends up. Both are straight over some length; texture is not. So pixels are averaged along a line first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel

_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
_DIAGONAL = 46341
"""2**16 / sqrt(2): a step along a diagonal is longer than one along an axis."""


def diagonal_px(length_px: int) -> int:
    """Steps along a diagonal that are nearest to a length in pixels."""
    return (length_px * _DIAGONAL + (1 << 15)) >> 16


def groove_reach(half_px: int, offset_px: int) -> int:
    """How far `groove_depth` looks along y and x."""
    return max(half_px, offset_px, diagonal_px(half_px) + max(1, diagonal_px(offset_px)))


@kernel
def _mean(total: Any, scale: Any) -> Any:
    """A line's sum over its pixels; scale is 2**20 over their number."""
    return np.uint32(np.uint32(total >> np.uint32(4)) * scale) >> np.uint32(16)


@kernel
def _mean_along(line: Any, half: int, scale: Any, sums: Any, means: Any) -> None:
    """Means of 2 * half + 1 pixels along a row, in the middle of a longer row; `sums` is for running sums.

    Running sums may overflow, differences of them are right all the same.
    """
    total = np.uint32(0)
    for x in range(line.size):
        total = np.uint32(total + line[x])
        sums[x] = total
    first = (line.size - means.size) // 2
    end, start = sums[first + half :], sums[first - half - 1 :]
    for x in range(means.size):
        means[x] = _mean(np.uint32(end[x] - start[x]), scale)


@kernel
def _move_on(entering: Any, leaving: Any, before: Any, scale: Any, sums: Any, means: Any) -> None:
    """Sums of lines, moved on by a pixel from those of the row before, and their means."""
    for x in range(means.size):
        total = np.uint32(before[x] + entering[x] - leaving[x])
        sums[x] = total
        means[x] = _mean(total, scale)


@kernel
def _line_sum(pixels: Any, row: int, column: int, half: int, dx: int) -> Any:
    """Sum of the line of 2 * half + 1 pixels through a pixel, dx columns a row."""
    total = np.uint32(0)
    for k in range(-half, half + 1):
        total = np.uint32(total + pixels[row + k, column + k * dx])
    return total


@kernel
def _deepen(here: Any, one: Any, other: Any, depth: Any) -> None:
    """Raise depths to the mean of two rows minus the one between them."""
    for x in range(depth.size):
        around = np.uint16(np.uint32(np.uint32(one[x]) + np.uint32(other[x])) >> np.uint32(1))
        depth[x] = max(depth[x], np.uint16(max(around, here[x]) - here[x]))


@kernel
def _groove_depth(pixels: Any, ways: Any, margin: int, depth: Any) -> None:
    """Depths of a plane in one pass over its rows, from pixels with an equal number more on all sides.

    `ways` has a row dy, dx, half, offset for each direction: lines run along (dy, dx) over 2 * half + 1 pixels. The
    means of the last 2 * margin + 1 rows are kept, with `margin` columns more on each side.
    """
    rows, columns = depth.shape
    n_rows, width = 2 * margin + 1, columns + 2 * margin
    first = (pixels.shape[0] - rows) // 2 - margin
    means = np.empty((len(ways), n_rows, width), np.uint16)
    sums = np.empty((len(ways), 2, width + 2), np.uint32)
    running = np.empty(pixels.shape[1], np.uint32)
    for way, (dy, dx, half, _) in enumerate(ways):
        for x in range(width + 2 if dy else 0):
            sums[way, 0, x] = _line_sum(pixels, first - 1, first - 1 + x, half, dx)
    for row in range(rows + 2 * margin):
        at = first + row
        for way, (dy, dx, half, _) in enumerate(ways):
            scale = np.uint32((1 << 20) // (2 * half + 1))
            target = means[way, row % n_rows]
            if dy == 0:
                _mean_along(pixels[at], half, scale, running, target)
                continue
            before, after = sums[way, row % 2], sums[way, 1 - row % 2]
            if dx != 0:
                end = 0 if dx > 0 else width + 1
                before[end] = _line_sum(pixels, at - 1, first - 1 + end, half, dx)
            enter, leave = first + half * dx, first - (half + 1) * dx
            _move_on(
                pixels[at + half, enter : enter + width],
                pixels[at - half - 1, leave : leave + width],
                before[1 - dx : 1 - dx + width],
                scale,
                after[1 : 1 + width],
                target,
            )
        middle = row - margin
        if middle < margin:
            continue
        for way, (dy, dx, _, offset) in enumerate(ways):
            down, right = dx * offset, -dy * offset
            _deepen(
                means[way, middle % n_rows, margin : margin + columns],
                means[way, (middle + down) % n_rows, margin + right : margin + right + columns],
                means[way, (middle - down) % n_rows, margin - right : margin - right + columns],
                depth[middle - margin],
            )


def groove_depth(pixels: NDArray[np.uint16], half_px: int, offset_px: int) -> NDArray[np.uint16]:
    """Depth of the groove at each pixel of uint16 (z, y, x), looked for in its plane; 0 where there is none.

    Lines of 2 * half_px + 1 pixels in four directions. The depth is the mean of the lines at `offset_px` to both
    sides minus the line through the pixel, the largest of the four directions. Pixels are mirrored at the ends of
    the array. Support along y and x: `groove_reach`, along z none.
    """
    depth = np.zeros(pixels.shape, np.uint16)
    margin = max(offset_px, 1)
    edge = margin + half_px + 1
    _, ny, nx = pixels.shape
    padded = np.empty((ny + 2 * edge, nx + 2 * edge), np.uint16)
    straight, diagonal = (half_px, offset_px), (diagonal_px(half_px), max(1, diagonal_px(offset_px)))
    ways = tuple((dy, dx, *(diagonal if dy and dx else straight)) for dy, dx in _DIRECTIONS)
    for plane, target in zip(pixels, depth, strict=True):
        _mirror(plane, edge, padded)
        _groove_depth(padded, ways, margin, target)
    return depth


def _mirror(plane: NDArray[np.uint16], edge: int, padded: NDArray[np.uint16]) -> None:
    """Copy a plane to the middle of one with `edge` pixels more on all sides, mirrored at the end pixels."""
    ny, nx = plane.shape
    rows, columns = _mirrored(ny, edge), _mirrored(nx, edge)
    padded[:, edge : edge + nx] = plane[rows]
    for side in (slice(0, edge), slice(nx + edge, nx + 2 * edge)):
        padded[:, side] = padded[:, edge + columns[side]]


def _mirrored(length: int, edge: int) -> NDArray[np.int64]:
    """Indices -edge .. length + edge - 1, mirrored at both end pixels."""
    period = max(1, 2 * (length - 1))
    index = np.abs(np.arange(-edge, length + edge)) % period
    return np.minimum(index, period - index) if length > 1 else np.zeros(index.size, np.int64)
