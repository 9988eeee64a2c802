"""Exact integer partial sums of the instances in one block.

Sums, minima and maxima of integers may be joined in any order, so a cell that spans blocks comes out the same however
the image was cut. A block holds at most 2**31 pixels and coordinates are below 2**31, so all sums of products of a cell
of up to 2**24 pixels fit 64 bits for images up to 2**19 pixels a side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.blocks.kernel import kernel
from isthmus.quantify.spans import Spans

Int64 = npt.NDArray[np.int64]

COMPARTMENTS = ("nucleus", "cytoplasm")
SHAPE_SUMS = ("n", "z", "y", "x", "zz", "yy", "xx", "zy", "zx", "yx")
BOUNDS = ("z_min", "y_min", "x_min", "z_max", "y_max", "x_max")
INTENSITY_SUMS = ("sum", "sum_squares")
INTENSITY_BOUNDS = ("min", "max")
FLAGS = ("touches_seam", "touches_edge")

_BIG = np.iinfo(np.int64).max


@dataclass(frozen=True)
class PartialSums:
    """Sums over the pixels of a set of instances; the first axis is the instance.

    shape
        (instances, 2, 10): for nucleus and cytoplasm pixels the SHAPE_SUMS of pixel indices in the image.
    bounds
        (instances, 2, 6): for nucleus and cytoplasm pixels the BOUNDS, the largest index included.
    flags
        (instances, 2): FLAGS of the whole cell.
    intensity
        (instances, channels, 2, 2): for nucleus and cytoplasm the INTENSITY_SUMS.
    extremes
        (instances, channels, 2, 2): for nucleus and cytoplasm the INTENSITY_BOUNDS.
    """

    shape: Int64
    bounds: Int64
    flags: npt.NDArray[np.bool_]
    intensity: Int64
    extremes: Int64


def empty_sums(n_instances: int, n_channels: int) -> PartialSums:
    """Sums of nothing."""
    bounds = np.empty((n_instances, 2, 6), dtype=np.int64)
    bounds[..., :3] = _BIG
    bounds[..., 3:] = -1
    # The channel comes first in memory: one is summed up after the other.
    extremes = np.moveaxis(np.empty((n_channels, n_instances, 2, 2), dtype=np.int64), 0, 1)
    extremes[..., 0] = _BIG
    extremes[..., 1] = -1
    return PartialSums(
        shape=np.zeros((n_instances, 2, len(SHAPE_SUMS)), dtype=np.int64),
        bounds=bounds,
        flags=np.zeros((n_instances, 2), dtype=bool),
        intensity=np.moveaxis(np.zeros((n_channels, n_instances, 2, 2), dtype=np.int64), 0, 1),
        extremes=extremes,
    )


def add_geometry(sums: PartialSums, spans: Spans, *, write: Region, image_shape: Triple) -> None:
    """Add the pixels of a block; its spans count from the start of `write`."""
    _geometry(
        spans.row,
        spans.part,
        spans.line,
        spans.start,
        spans.stop,
        np.array([write.start, write.stop, image_shape], dtype=np.int64),
        sums.shape.reshape(-1, len(SHAPE_SUMS)),
        sums.bounds.reshape(-1, len(BOUNDS)),
        sums.flags,
    )


def add_channel(
    sums: PartialSums, channel: int, values: npt.NDArray[np.uint16], offsets: npt.NDArray[np.int64]
) -> None:
    """Add one channel's values in a block, grouped; see quantify.groups."""
    intensity, extremes = sums.intensity[:, channel], sums.extremes[:, channel]
    _channel(values, offsets, intensity.reshape(-1, 2), extremes.reshape(-1, 2))


@kernel
def _geometry(
    row: Any,
    part: Any,
    line: Any,
    start: Any,
    stop: Any,
    place: Int64,
    shape: Int64,
    bounds: Int64,
    flags: npt.NDArray[np.bool_],
) -> None:
    """Sums over a span of x0..x1 in closed form; place holds the block's start and stop, and the image's shape."""
    first, last, size = place[0], place[1], place[2]
    ny = last[1] - first[1]
    is_volume = size[0] > 1
    z, y, at = first[0], first[1], -1
    outer_seam = outer_edge = False
    for k in range(row.size):
        if line[k] != at:
            at = line[k]
            z, y = first[0] + at // ny, first[1] + at % ny
            outer_seam = (y == first[1] and y > 0) or (y == last[1] - 1 and y < size[1] - 1)
            outer_edge = y == 0 or y == size[1] - 1
            if is_volume:
                outer_seam = outer_seam or (z == first[0] and z > 0) or (z == last[0] - 1 and z < size[0] - 1)
                outer_edge = outer_edge or z == 0 or z == size[0] - 1
        x0, n = first[2] + start[k], np.int64(stop[k]) - start[k]
        x1 = x0 + n - 1
        sum_x = n * (x0 + x1) // 2
        # x0 is taken out, so that the sum of squares of 0..n-1 is all that is left.
        squares = n * x0 * x1 + (n - 1) * n * (2 * n - 1) // 6
        at_part = 2 * np.int64(row[k]) + np.int64(part[k])
        sums, box = shape[at_part], bounds[at_part]
        sums[0] += n
        sums[1] += n * z
        sums[2] += n * y
        sums[3] += sum_x
        sums[4] += n * z * z
        sums[5] += n * y * y
        sums[6] += squares
        sums[7] += n * z * y
        sums[8] += z * sum_x
        sums[9] += y * sum_x
        box[0] = min(box[0], z)
        box[1] = min(box[1], y)
        box[2] = min(box[2], x0)
        box[3] = max(box[3], z)
        box[4] = max(box[4], y)
        box[5] = max(box[5], x1)
        seam = outer_seam or (x0 == first[2] and x0 > 0) or (x1 == last[2] - 1 and x1 < size[2] - 1)
        edge = outer_edge or x0 == 0 or x1 == size[2] - 1
        if seam:
            flags[row[k], 0] = True
        if edge:
            flags[row[k], 1] = True


@kernel
def _channel(values: Any, offsets: Int64, intensity: Int64, extremes: Int64) -> None:
    """Two loops over a segment, each of which the compiler makes vectors of."""
    for s in range(offsets.size - 1):
        segment, sums, low_high = values[offsets[s] : offsets[s + 1]], intensity[s], extremes[s]
        if segment.size == 0:
            continue
        total, squares = np.uint64(0), np.uint64(0)
        for i in range(segment.size):
            value = np.uint32(segment[i])
            total += np.uint64(value)
            squares += np.uint64(np.uint32(value * value))
        low, high = segment[0], segment[0]
        for i in range(segment.size):
            low, high = min(low, segment[i]), max(high, segment[i])
        sums[0] += np.int64(total)
        sums[1] += np.int64(squares)
        low_high[0] = min(low_high[0], np.int64(low))
        low_high[1] = max(low_high[1], np.int64(high))
