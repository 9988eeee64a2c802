"""Exact integer partial sums of the instances in one block: kernels.

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

Int32 = npt.NDArray[np.int32]
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
        (instances, 6): BOUNDS of the whole cell, the largest index included.
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
    bounds = np.empty((n_instances, 6), dtype=np.int64)
    bounds[:, :3] = _BIG
    bounds[:, 3:] = -1
    extremes = np.empty((n_instances, n_channels, 2, 2), dtype=np.int64)
    extremes[..., 0] = _BIG
    extremes[..., 1] = -1
    return PartialSums(
        shape=np.zeros((n_instances, 2, len(SHAPE_SUMS)), dtype=np.int64),
        bounds=bounds,
        flags=np.zeros((n_instances, 2), dtype=bool),
        intensity=np.zeros((n_instances, n_channels, 2, 2), dtype=np.int64),
        extremes=extremes,
    )


def add_geometry(
    sums: PartialSums, cells: Int32, nuclei: Int32, *, write: Region, image_shape: Triple
) -> None:
    """Add the pixels (z, y, x) of a block; instance k has the number k + 1 in the arrays."""
    _geometry(
        cells,
        nuclei,
        np.array(write.start, dtype=np.int64),
        np.array(image_shape, dtype=np.int64),
        sums.shape,
        sums.bounds,
        sums.flags,
    )


def add_channel(
    sums: PartialSums, channel: int, pixels: npt.NDArray[np.unsignedinteger], cells: Int32, nuclei: Int32
) -> None:
    """Add one channel's pixels (z, y, x) of a block."""
    _channel(
        pixels.reshape(-1),
        cells.reshape(-1),
        nuclei.reshape(-1),
        sums.intensity[:, channel],
        sums.extremes[:, channel],
    )


@kernel
def _geometry(
    cells: Int32,
    nuclei: Int32,
    start: Int64,
    image_shape: Int64,
    shape: Int64,
    bounds: Int64,
    flags: npt.NDArray[np.bool_],
) -> None:
    nz, ny, nx = cells.shape
    for i in range(nz):
        z = start[0] + i
        for j in range(ny):
            y = start[1] + j
            for k in range(nx):
                instance = cells[i, j, k]
                if instance == 0:
                    continue
                x = start[2] + k
                row = instance - 1
                part = shape[row, 0 if nuclei[i, j, k] == instance else 1]
                part[0] += 1
                part[1] += z
                part[2] += y
                part[3] += x
                part[4] += z * z
                part[5] += y * y
                part[6] += x * x
                part[7] += z * y
                part[8] += z * x
                part[9] += y * x
                box = bounds[row]
                box[0] = min(box[0], z)
                box[1] = min(box[1], y)
                box[2] = min(box[2], x)
                box[3] = max(box[3], z)
                box[4] = max(box[4], y)
                box[5] = max(box[5], x)
                outer = j == 0 or j == ny - 1 or k == 0 or k == nx - 1
                if image_shape[0] > 1:
                    outer = outer or i == 0 or i == nz - 1
                if outer:
                    edge = y == 0 or y == image_shape[1] - 1 or x == 0 or x == image_shape[2] - 1
                    seam = (j == 0 and y > 0) or (j == ny - 1 and y < image_shape[1] - 1)
                    seam = seam or (k == 0 and x > 0) or (k == nx - 1 and x < image_shape[2] - 1)
                    if image_shape[0] > 1:
                        edge = edge or z == 0 or z == image_shape[0] - 1
                        seam = seam or (i == 0 and z > 0) or (i == nz - 1 and z < image_shape[0] - 1)
                    flags[row, 0] |= seam
                    flags[row, 1] |= edge


@kernel
def _channel(pixels: Any, cells: Int32, nuclei: Int32, intensity: Int64, extremes: Int64) -> None:
    for i in range(cells.size):
        instance = cells[i]
        if instance == 0:
            continue
        value = np.int64(pixels[i])
        part = 0 if nuclei[i] == instance else 1
        sums = intensity[instance - 1, part]
        sums[0] += value
        sums[1] += value * value
        low_high = extremes[instance - 1, part]
        low_high[0] = min(low_high[0], value)
        low_high[1] = max(low_high[1], value)
