"""Areas and border of a block's local labels: kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


_AT_ONCE = 1024
"""Pixels whose runs are found at a time."""


@kernel
def count_pixels(labels: Int32, area_px: Int64) -> None:
    """Add to area_px[k] the pixels of label k + 1; a run of one label is added at once. `labels` is flat."""
    ends = np.empty(_AT_ONCE + 1, np.int32)
    for begin in range(0, labels.size, _AT_ONCE):
        part = labels[begin : begin + _AT_ONCE]
        # What does not count is written too, and written over: branches that cannot be foreseen cost more.
        n_ends = 0
        for i in range(part.size - 1):
            ends[n_ends] = i + 1
            n_ends += part[i] != part[i + 1]
        ends[n_ends] = part.size
        first = np.int32(0)
        for k in range(n_ends + 1):
            label = part[first]
            if label > 0:
                area_px[label - 1] += ends[k] - first
            first = ends[k]


@kernel
def find_ring_runs(labels: Int32, ring_px: Any, start: Int64, length: Int32, label: Int32) -> int:
    """Find the runs of one label among the pixels (z, y, x) within ring_px of a face of the block.

    The first runs go to start (row-major index of a run's first pixel), length and label, as many as there is room
    for; returns how many there are. A run ends with its row.
    """
    nz, ny, nx = labels.shape
    rz, ry, rx = ring_px
    n = 0
    for z in range(nz):
        for y in range(ny):
            whole = z < rz or z >= nz - rz or y < ry or y >= ny - ry or 2 * rx >= nx
            before = np.int32(0)
            x = 0
            while x < nx:
                if x == rx and not whole:
                    x, before = nx - rx, np.int32(0)
                    if rx == 0:
                        break
                found = labels[z, y, x]
                if found > 0:
                    if found != before:
                        if n < start.size:
                            start[n] = (z * ny + y) * nx + x
                            length[n] = 0
                            label[n] = found
                        n += 1
                    if n <= start.size:
                        length[n - 1] += 1
                before = found
                x += 1
    return n
