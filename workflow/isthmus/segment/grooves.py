"""How deep the dark line is that a pixel lies on: second differences of line means, in whole numbers.

Between two nuclei that touch runs a dark line, and at the foot of a bright nucleus that lies over a dimmer one the
brightness bends up. Both are straight over some length; texture is not. So pixels are averaged along a line first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel
from isthmus.segment.filters import mirror_ends, mirrored

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
def _line_sum(lines: Any, row: int, column: int, half: int, dx: int) -> Any:
    """Sum of the line of 2 * half + 1 pixels through a pixel, dx columns a row; row k is kept in lines[k % len]."""
    total = np.uint32(0)
    for k in range(-half, half + 1):
        total = np.uint32(total + lines[(row + k) % len(lines), column + k * dx])
    return total


@kernel
def _fetch(plane: Any, row: int, edge: int, lines: Any) -> None:
    """Keep a row of a plane, with `edge` pixels more at both ends; rows beyond the plane are mirrored."""
    source, line = plane[mirrored(row, len(plane))], lines[row % len(lines)]
    middle = line[edge : edge + source.size]
    for x in range(source.size):
        middle[x] = source[x]
    mirror_ends(line, edge)


@kernel
def _deepen(here: Any, one: Any, other: Any, depth: Any) -> None:
    """Raise depths to the mean of two rows minus the one between them."""
    for x in range(depth.size):
        around = np.uint16(np.uint32(np.uint32(one[x]) + np.uint32(other[x])) >> np.uint32(1))
        depth[x] = max(depth[x], np.uint16(max(around, here[x]) - here[x]))


@kernel
def _mean_rows(lines: Any, ways: Any, row: int, sums: Any, running: Any, means: Any) -> None:
    """Line means of a row in all directions, the sums of those that cross rows moved on from the row before.

    Sums of row k are in sums[:, k % 2], with one pixel more at both ends. See `_groove_depth` for the rest.
    """
    n_lines, width = len(lines), means.shape[2]
    first = (lines.shape[1] - width) // 2
    for way, (dy, dx, half, _) in enumerate(ways):
        scale = np.uint32((1 << 20) // (2 * half + 1))
        target = means[way, row % means.shape[1]]
        if dy == 0:
            _mean_along(lines[row % n_lines], half, scale, running, target)
            continue
        before, after = sums[way, (row - 1) % 2], sums[way, row % 2]
        if dx != 0:
            end = 0 if dx > 0 else width + 1
            before[end] = _line_sum(lines, row - 1, first - 1 + end, half, dx)
        enter, leave = first + half * dx, first - (half + 1) * dx
        _move_on(
            lines[(row + half) % n_lines, enter : enter + width],
            lines[(row - half - 1) % n_lines, leave : leave + width],
            before[1 - dx : 1 - dx + width],
            scale,
            after[1 : 1 + width],
            target,
        )


@kernel
def _groove_depth(plane: Any, ways: Any, half: int, margin: int, depth: Any) -> None:
    """Depths of a plane in one pass over its rows.

    `ways` has (dy, dx, half, offset) for each direction: lines run along (dy, dx) over 2 * half + 1 pixels. The last
    2 * half + 2 rows of pixels are kept, and the means of the last 2 * margin + 1 rows with `margin` columns more on
    each side: row k of either is row k modulo their number.
    """
    rows, columns = depth.shape
    edge, width = margin + half + 1, columns + 2 * margin
    lines = np.empty((2 * half + 2, columns + 2 * edge), np.uint16)
    means = np.empty((len(ways), 2 * margin + 1, width), np.uint16)
    sums = np.empty((len(ways), 2, width + 2), np.uint32)
    running = np.empty(lines.shape[1], np.uint32)
    for row in range(-edge, half - margin):
        _fetch(plane, row, edge, lines)
    for way, (dy, dx, half_way, _) in enumerate(ways):
        for x in range(width + 2 if dy else 0):
            sums[way, (-margin - 1) % 2, x] = _line_sum(lines, -margin - 1, half + x, half_way, dx)
    for row in range(-margin, rows + margin):
        _fetch(plane, row + half, edge, lines)
        _mean_rows(lines, ways, row, sums, running, means)
        middle = row - margin
        if middle < 0:
            continue
        depth[middle] = 0
        for way, (dy, dx, _, offset) in enumerate(ways):
            down, right = dx * offset, -dy * offset
            _deepen(
                means[way, middle % means.shape[1], margin : margin + columns],
                means[way, (middle + down) % means.shape[1], margin + right : margin + right + columns],
                means[way, (middle - down) % means.shape[1], margin - right : margin - right + columns],
                depth[middle],
            )


def groove_depth(pixels: NDArray[np.uint16], half_px: int, offset_px: int) -> NDArray[np.uint16]:
    """Depth of the groove at each pixel of uint16 (z, y, x), looked for in its plane; 0 where there is none.

    Lines of 2 * half_px + 1 pixels in four directions. The depth is the mean of the lines at `offset_px` to both
    sides minus the line through the pixel, the largest of the four directions. Pixels are mirrored at the ends of
    the array. Support along y and x: `groove_reach`, along z none.
    """
    depth = np.empty(pixels.shape, np.uint16)
    straight, diagonal = (half_px, offset_px), (diagonal_px(half_px), max(1, diagonal_px(offset_px)))
    ways = tuple((dy, dx, *(diagonal if dy and dx else straight)) for dy, dx in _DIRECTIONS)
    for plane, target in zip(np.ascontiguousarray(pixels), depth, strict=True):
        _groove_depth(plane, ways, half_px, max(offset_px, 1), target)
    return depth
