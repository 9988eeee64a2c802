"""The pointer forest of one block: kernels.

Instances are the basins of steepest ascent of an integer landscape under the total order (value, z, y, x). Each
foreground pixel points to the largest of its neighbours and itself; a local peak points to the largest pixel within
the merge distance. Pointers only ever rise in the order, so they form a forest whose roots are the instances. Inside a
block the paths are followed to a root or to the pixel outside where they leave: an exit.

All arrays are (z, y, x); planes have z = 1. Everything is integer arithmetic: the result is the same on any machine.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_OUTSIDE = -1


def neighbour_offsets(shape: Triple) -> Int64:
    """Flat offsets of the 8 (plane) or 26 (volume) neighbours in a row-major array of this shape."""
    steps_z = (0,) if shape[0] == 1 else (-1, 0, 1)
    return _flat_offsets(shape, ((z, y, x) for z, y, x in product(steps_z, (-1, 0, 1), (-1, 0, 1))))


def ball_offsets(shape: Triple, radius_px: tuple[float, float, float]) -> Int64:
    """Flat offsets of all pixels within an ellipsoid of these semi-axes (z, y, x), its surface included."""
    reach = [int(np.floor(r)) if n > 1 else 0 for r, n in zip(radius_px, shape, strict=True)]
    ranges = [range(-r, r + 1) for r in reach]
    inside = []
    for step in product(*ranges):
        ratio = sum((s / r) ** 2 for s, r in zip(step, radius_px, strict=True) if s)
        if ratio <= 1.0 + 1e-9:
            inside.append(step)
    return _flat_offsets(shape, inside)


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
    padded = _with_margin(landscape, read=read, write=write, margin=margin, image_shape=image_shape)
    pz, py, px = (int(n) for n in padded.shape)
    shape = (pz, py, px)
    labels = np.full(shape, _OUTSIDE, dtype=np.int32)
    core = tuple(slice(m, m + n) for m, n in zip(margin, write.shape, strict=True))
    labels[core] = 0
    flat_roots, flat_exits = _follow(
        padded.reshape(-1),
        labels.reshape(-1),
        neighbour_offsets(shape),
        ball_offsets(shape, merge_radius_px),
    )
    origin = tuple(w - m for w, m in zip(write.start, margin, strict=True))
    return (
        np.ascontiguousarray(labels[core]),
        _image_index(flat_roots, shape, origin, image_shape),
        _image_index(flat_exits, shape, origin, image_shape),
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


def _flat_offsets(shape: Triple, steps: object) -> Int64:
    _, ny, nx = shape
    flat = sorted({(z * ny + y) * nx + x for z, y, x in steps} - {0})  # type: ignore[attr-defined]
    return np.array(flat, dtype=np.int64)


def _image_index(flat: Int64, shape: Triple, origin: tuple[int, ...], image_shape: Triple) -> Int64:
    z, y, x = (
        place.astype(np.int64) + start
        for place, start in zip(np.unravel_index(flat, shape), origin, strict=True)
    )
    return (z * image_shape[1] + y) * image_shape[2] + x


@kernel
def _highest(values: Any, at: int, offsets: Int64) -> int:
    """The largest pixel, under (value, index), among one and those at the offsets."""
    best = at
    value = values[at]
    for offset in offsets:
        other = at + offset
        seen = values[other]
        if seen > value or (seen == value and other > best):
            best = other
            value = seen
    return best


@kernel
def _follow(values: Any, labels: Int32, neighbours: Int64, ball: Int64) -> tuple[Int64, Int64]:
    """Label the pixels where `labels` is 0; an outside pixel holds _OUTSIDE, or -2 - k once it is exit k."""
    n = values.size
    pointers = np.empty(n, dtype=np.int32)
    roots = np.empty(1024, dtype=np.int64)
    n_roots = 0
    for i in range(n):
        if labels[i] != 0 or values[i] == 0:
            continue
        target = _highest(values, i, neighbours)
        if target == i:
            target = _highest(values, i, ball)
        pointers[i] = target
        if target == i:
            if n_roots == roots.size:
                roots = np.concatenate((roots, np.empty_like(roots)))
            roots[n_roots] = i
            n_roots += 1
            labels[i] = n_roots
    exits = np.empty(1024, dtype=np.int64)
    n_exits = 0
    path = np.empty(1024, dtype=np.int32)
    for i in range(n):
        if labels[i] != 0 or values[i] == 0:
            continue
        length = 0
        j = i
        while labels[j] == 0:
            if length == path.size:
                path = np.concatenate((path, np.empty_like(path)))
            path[length] = j
            length += 1
            j = pointers[j]
        found = labels[j]
        if found == _OUTSIDE:
            if n_exits == exits.size:
                exits = np.concatenate((exits, np.empty_like(exits)))
            exits[n_exits] = j
            found = np.int32(-2 - n_exits)
            labels[j] = found
            n_exits += 1
        label = found if found > 0 else np.int32(n_roots - 1 - found)
        for k in range(length):
            labels[path[k]] = label
    return roots[:n_roots].copy(), exits[:n_exits].copy()
