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
def _sum_along(pixels: Any, dy: int, dx: int, sums: Any) -> None:
    """Running sums along a direction; they may overflow, differences of them are right all the same."""
    rows, columns = pixels.shape
    for row in range(rows):
        if dy == 0:
            total = np.uint32(0)
            for x in range(columns):
                total += np.uint32(pixels[row, x])
                sums[row, x] = total
            continue
        for x in range(columns):
            sums[row, x] = pixels[row, x]
        if row > 0:
            first, last = max(0, dx), columns + min(0, dx)
            here, above = sums[row, first:last], sums[row - 1, first - dx : last - dx]
            for x in range(here.size):
                here[x] += above[x]


@kernel
def _line_means(sums: Any, half: int, dy: int, dx: int, margin: int, means: Any) -> None:
    """Means of 2 * half + 1 pixels along a direction, centred; `margin` rows and columns more on each side."""
    rows, columns = means.shape
    scale = np.uint32((1 << 20) // (2 * half + 1))
    back = half + 1
    for row in range(rows):
        end = sums[row + margin + half * dy, margin + half * dx :]
        start = sums[row + margin - back * dy, margin - back * dx :]
        for x in range(columns):
            total = np.uint32(end[x] - start[x])
            means[row, x] = np.uint32((total >> np.uint32(4)) * scale) >> np.uint32(16)


@kernel
def _deepen(means: Any, dy: int, dx: int, margin: int, depth: Any) -> None:
    """Raise depths to half the second difference of the means at a distance (dy, dx) to both sides."""
    rows, columns = depth.shape
    for row in range(rows):
        here = means[row + margin, margin:]
        one = means[row + margin + dy, margin + dx :]
        other = means[row + margin - dy, margin - dx :]
        target = depth[row]
        for x in range(columns):
            deep = ((np.int32(one[x]) + np.int32(other[x])) >> 1) - np.int32(here[x])
            target[x] = max(np.int32(target[x]), deep)


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
    rows, columns = _mirrored(ny, edge), _mirrored(nx, edge)
    sums = np.empty((ny + 2 * edge, nx + 2 * edge), np.uint32)
    means = np.empty((ny + 2 * margin, nx + 2 * margin), np.uint16)
    for plane, target in zip(pixels, depth, strict=True):
        padded = np.take(plane[rows], columns, axis=1)
        for dy, dx in _DIRECTIONS:
            is_diagonal = dy != 0 and dx != 0
            half = diagonal_px(half_px) if is_diagonal else half_px
            offset = max(1, diagonal_px(offset_px)) if is_diagonal else offset_px
            _sum_along(padded, dy, dx, sums)
            _line_means(sums, half, dy, dx, edge - margin, means)
            _deepen(means, dx * offset, -dy * offset, margin, target)
    return depth


def _mirrored(length: int, edge: int) -> NDArray[np.int64]:
    """Indices -edge .. length + edge - 1, mirrored at both end pixels."""
    period = max(1, 2 * (length - 1))
    index = np.abs(np.arange(-edge, length + edge)) % period
    return np.minimum(index, period - index) if length > 1 else np.zeros(index.size, np.int64)
