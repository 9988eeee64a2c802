"""The pointer forest of one block: kernels.

Instances are the basins of steepest ascent of an integer landscape under the total order (value, z, y, x). Each
foreground pixel points to the largest of its neighbours and itself; a local peak points to the largest pixel within
the merge distance. Pointers only ever rise in the order, so they form a forest whose roots are the instances. Inside a
block the paths are followed to a root or to the pixel outside where they leave: an exit.

All arrays are (z, y, x); planes have z = 1. Everything is integer arithmetic: the result is the same on any machine.

One array of the block with its margin holds everything that becomes known of a pixel: 0 for background, its label once
that is known, -2 - index for a pointer to the pixel with that flat index, and the two numbers below.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.blocks.kernel import kernel
from isthmus.errors import UserError
from isthmus.segment.neighbours import compare_row

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_OUTSIDE = np.int32(-1)
"""A pixel outside the write region: paths end there."""

_MOST_PIXELS = (1 << 31) - 2
"""The largest pointer is -2 - index, and must lie above _PEAK."""

_PEAK = np.int32(-(1 << 31))
"""A pixel that no neighbour exceeds, before it is settled whether it is a root."""


def row_offsets(shape: Triple) -> Int64:
    """Flat offsets, in order, to the middle of the 3 (plane) or 9 (volume) rows of three pixels around a pixel."""
    steps_z = (0,) if shape[0] == 1 else (-1, 0, 1)
    _, ny, nx = shape
    return np.array([(z * ny + y) * nx for z, y in product(steps_z, (-1, 0, 1))], dtype=np.int64)


def ball_offsets(shape: Triple, radius_px: tuple[float, float, float]) -> Int64:
    """Flat offsets of all pixels within an ellipsoid of these semi-axes (z, y, x), its surface included."""
    reach = [int(np.floor(r)) if n > 1 else 0 for r, n in zip(radius_px, shape, strict=True)]
    _, ny, nx = shape
    offsets = set()
    for z, y, x in product(*(range(-r, r + 1) for r in reach)):
        ratio = sum((s / r) ** 2 for s, r in zip((z, y, x), radius_px, strict=True) if s)
        if ratio <= 1.0 + 1e-9:
            offsets.add((z * ny + y) * nx + x)
    return np.array(sorted(offsets - {0}), dtype=np.int64)


def margin_px(is_volume: bool, radius_px: tuple[float, float, float]) -> Triple:
    """How far a pointer may reach: one pixel, or the merge distance if that is more; 0 along z of a plane."""
    z, y, x = (max(1, int(np.floor(r))) for r in radius_px)
    return (z if is_volume else 0, y, x)


def grow_forest(
    landscape: npt.NDArray[np.unsignedinteger],
    *,
    read: Region,
    write: Region,
    image_shape: Triple,
    merge_radius_px: tuple[float, float, float],
) -> tuple[Int32, Int64, Int64]:
    """Follow the pointers of one block's write region.

    Parameters
    ----------
    landscape
        Landscape of the read region; 0 is background.
    read, write
        The block's regions in image coordinates; the read region must reach `margin_px` beyond the write region or
        to the image edge.
    image_shape
        Shape of the whole image.
    merge_radius_px
        Distance within which a local peak gives way to a higher pixel, per axis.

    Returns
    -------
    labels
        Local labels of the write region, 0 for background: roots first (1..n_roots), then exits.
    roots
        Row-major index in the image of each root's pixel.
    exits
        Row-major index in the image of each pixel, outside the write region, that paths leave to.
    """
    margin = margin_px(image_shape[0] > 1, merge_radius_px)
    _check_size(write, margin)
    padded = _with_margin(landscape, read=read, write=write, margin=margin, image_shape=image_shape)
    pz, py, px = (int(n) for n in padded.shape)
    shape = (pz, py, px)
    core = tuple(slice(m, m + n) for m, n in zip(margin, write.shape, strict=True))
    labels = np.full(shape, _OUTSIDE, np.int32)
    _climb(padded, margin, row_offsets(shape), labels)
    flat_labels = labels.reshape(-1)
    peaks = np.flatnonzero(flat_labels == _PEAK)
    n_roots = _settle_peaks(padded.reshape(-1), peaks, ball_offsets(shape, merge_radius_px), flat_labels)
    flat_roots = peaks[flat_labels[peaks] > 0]
    flat_exits = np.empty(flat_labels.size - write.size, np.int64)
    n_exits = _follow(flat_labels, n_roots, flat_exits)
    if n_exits < 0:
        raise RuntimeError(f"pointers of the block at {write.start} run in a circle")
    flat_exits = flat_exits[:n_exits].copy()
    origin = tuple(w - m for w, m in zip(write.start, margin, strict=True))
    return (
        np.ascontiguousarray(labels[core]),
        _image_index(flat_roots, shape, origin, image_shape),
        _image_index(flat_exits, shape, origin, image_shape),
    )


def _check_size(write: Region, margin: Triple) -> None:
    """Indices of a block with its margin must fit the pointers."""
    shape = tuple(n + 2 * m for n, m in zip(write.shape, margin, strict=True))
    if prod(shape) > _MOST_PIXELS:
        raise UserError(
            where="execution.block_px",
            found=f"a block with its margin has {' x '.join(map(str, shape))} pixels (z, y, x), more than 2^31",
            do="choose smaller blocks",
        )


def _with_margin(
    landscape: npt.NDArray[np.unsignedinteger],
    *,
    read: Region,
    write: Region,
    margin: Triple,
    image_shape: Triple,
) -> npt.NDArray[np.unsignedinteger]:
    """The landscape of the write region and its margin, background beyond the image edge."""
    wanted = Region(
        (write.start[0] - margin[0], write.start[1] - margin[1], write.start[2] - margin[2]),
        (write.stop[0] + margin[0], write.stop[1] + margin[1], write.stop[2] + margin[2]),
    )
    shared = wanted.intersection(read)
    if shared is None or shared != write.grown(margin, image_shape):
        raise ValueError(f"read region {read} does not reach {margin} pixels beyond write region {write}")
    padded = np.zeros(wanted.shape, dtype=landscape.dtype)
    padded[shared.within(wanted)] = landscape[shared.within(read)]
    return padded


def _image_index(flat: Int64, shape: Triple, origin: tuple[int, ...], image_shape: Triple) -> Int64:
    z, y, x = (
        place.astype(np.int64) + start
        for place, start in zip(np.unravel_index(flat, shape), origin, strict=True)
    )
    return (z * image_shape[1] + y) * image_shape[2] + x


@kernel
def _climb(values: Any, margin: Any, row_steps: Int64, pointers: Int32) -> None:
    """Point each foreground pixel of the core to the largest of its neighbours, or mark it as a peak.

    A row at a time: whole rows are compared, so the compiler can do many pixels at once.
    """
    nz, ny, nx = values.shape
    mz, my, mx = margin
    n = nx - 2 * mx
    flat = values.reshape(-1)
    best = np.empty(n, values.dtype)
    for z in range(mz, nz - mz):
        for y in range(my, ny - my):
            start = (z * ny + y) * nx + mx
            target = pointers[z, y, mx : mx + n]
            best[:] = 0
            for step in row_steps:
                compare_row(flat[start + step - 1 : start + step + n + 1], step, best, target)
            here = flat[start : start + n]
            for x in range(n):
                pointer = np.int32(-2 - start - x - target[x])
                pointer = pointer if target[x] != 0 else _PEAK
                target[x] = pointer if here[x] != 0 else np.int32(0)


@kernel
def _highest(values: Any, at: int, offsets: Int64) -> int:
    """The largest pixel, under (value, index), among one and those at the offsets."""
    best = at
    for offset in offsets:
        other = at + offset
        seen, value = values[np.uint64(other)], values[np.uint64(best)]
        if seen > value or (seen == value and other > best):
            best = other
    return best


@kernel
def _settle_peaks(values: Any, peaks: Int64, ball: Int64, labels: Int32) -> int:
    """Label the roots among the local peaks, 1, 2, ...; the others point to the pixel that they give way to."""
    n_roots = 0
    for peak in peaks:
        target = _highest(values, peak, ball)
        if target == peak:
            n_roots += 1
        labels[peak] = n_roots if target == peak else -2 - target
    return n_roots


@kernel
def _follow(labels: Int32, n_roots: int, exits: Int64) -> int:
    """Label the pixels of all paths with their root or exit; returns the number of exits.

    Pointers rise, so no path is longer than there are pixels; -1 if one is, for then they are wrong.
    Indices are unsigned: numba looks for negative ones otherwise, at every step.
    """
    n_exits = 0
    for i in range(labels.size):
        label = labels[i]
        if label >= _OUTSIDE:
            continue
        at = np.uint64(i)
        left = labels.size
        while label < _OUTSIDE:
            at = np.uint64(-2 - label)
            label = labels[at]
            left -= 1
            if left < 0:
                return -1
        if label == _OUTSIDE:
            exits[n_exits] = at
            n_exits += 1
            label = np.int32(n_roots + n_exits)
            labels[at] = label
        at = np.uint64(i)
        note = labels[at]
        while note < _OUTSIDE:
            labels[at] = label
            at = np.uint64(-2 - note)
            note = labels[at]
    return n_exits
