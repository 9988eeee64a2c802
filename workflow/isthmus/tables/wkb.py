"""Outlines as well-known binary (OGC Simple Features, ISO 19125-1): kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.image.affine import Affine
from isthmus.quantify.outline_rings import RING_HEAD

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Float64 = npt.NDArray[np.float64]

POLYGON, MULTI_POLYGON = 3, 6

_LITTLE_ENDIAN = 1
_HEAD = 9  # byte order, type, number of parts
_COUNT = 4
_POINT = 16


@dataclass(frozen=True)
class Geometries:
    """Polygons, or multipolygons where an outline has several, in micrometres.

    wkb, bounds
        The bytes of geometry i are `wkb[bounds[i] : bounds[i + 1]]`.
    box
        (geometries, 4): smallest x, smallest y, largest x, largest y.
    """

    wkb: UInt8
    bounds: Int64
    box: Float64


def encode(code: Int32, bounds: Int64, origin: Int32, affine: Affine) -> Geometries:
    """Encode outlines.

    Parameters
    ----------
    code, bounds
        See `quantify.outlines.Outlines`.
    origin
        (outlines, 2): y, x in pixels of the image to add to the corners of each.
    affine
        Pixels to micrometres. Where it turns the image over, rings are gone through the other way round, so that outer
        rings stay counterclockwise.
    """
    n_polygons, n_rings, n_points = _count(code, bounds)
    points, box = _corners(code, bounds, origin, affine)
    sizes = n_polygons * _HEAD + n_rings * _COUNT + n_points * _POINT + np.where(n_polygons > 1, _HEAD, 0)
    wkb_bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    wkb = np.empty(int(wkb_bounds[-1]), dtype=np.uint8)
    _assemble(code, bounds, n_polygons, points.view(np.uint8).reshape(-1), wkb_bounds, wkb)
    return Geometries(wkb, wkb_bounds, box)


def measure(code: Int32, bounds: Int64, origin: Int32, affine: Affine) -> tuple[Int64, Float64]:
    """Number of polygons and box of outlines, as `encode` finds them."""
    return _count(code, bounds)[0], _corners(code, bounds, origin, affine)[1]


def _corners(code: Int32, bounds: Int64, origin: Int32, affine: Affine) -> tuple[Float64, Float64]:
    a, b, c, d, e, f = affine.numbers()
    return _points(code, bounds, origin, np.array([a, b, c, d, e, f]), a * e - b * d < 0)


@kernel
def _count(code: Int32, bounds: Int64) -> tuple[Int64, Int64, Int64]:
    """Polygons, rings and points (the first of a ring twice) of each outline."""
    counts = np.zeros((3, len(bounds) - 1), dtype=np.int64)
    for k in range(len(bounds) - 1):
        at = bounds[k]
        while at < bounds[k + 1]:
            n_moves = code[at + 2]
            counts[0, k] += n_moves > 0
            counts[1, k] += 1
            counts[2, k] += abs(n_moves) + 1
            at += RING_HEAD + abs(n_moves)
    return counts[0], counts[1], counts[2]


@kernel
def _points(
    code: Int32, bounds: Int64, origin: Int32, affine: Float64, is_turned: bool
) -> tuple[Float64, Float64]:
    """Corners of all rings, closed, in micrometres, and the box of each outline."""
    a, b, c, d, e, f = affine
    n = 0
    for k in range(len(bounds) - 1):
        at = bounds[k]
        while at < bounds[k + 1]:
            n += abs(code[at + 2]) + 1
            at += RING_HEAD + abs(code[at + 2])
    points = np.empty((n, 2), dtype=np.float64)
    box = np.empty((len(bounds) - 1, 4), dtype=np.float64)
    first = 0
    for k in range(len(bounds) - 1):
        at, head = bounds[k], first
        while at < bounds[k + 1]:
            row, column = code[at] + np.int64(origin[k, 0]), code[at + 1] + np.int64(origin[k, 1])
            n_moves = abs(code[at + 2])
            along_x = code[at + 2] > 0
            at += RING_HEAD
            last = first + n_moves
            for i in range(n_moves + 1):
                place = last - i if is_turned else first + i
                points[place, 0] = a * column + b * row + c
                points[place, 1] = d * column + e * row + f
                if i == n_moves:
                    break
                if along_x:
                    column += code[at + i]
                else:
                    row += code[at + i]
                along_x = not along_x
            at += n_moves
            first = last + 1
        box[k, 0], box[k, 1] = points[head]
        box[k, 2], box[k, 3] = points[head]
        for i in range(head + 1, first):
            x, y = points[i]
            box[k, 0], box[k, 1] = min(box[k, 0], x), min(box[k, 1], y)
            box[k, 2], box[k, 3] = max(box[k, 2], x), max(box[k, 3], y)
    return points, box


@kernel
def _assemble(
    code: Int32, bounds: Int64, n_polygons: Int64, points: UInt8, wkb_bounds: Int64, wkb: UInt8
) -> None:
    """Put heads and points together."""
    taken = 0
    for k in range(len(bounds) - 1):
        at, out = bounds[k], wkb_bounds[k]
        if n_polygons[k] > 1:
            out = _head(wkb, out, MULTI_POLYGON, n_polygons[k])
        while at < bounds[k + 1]:
            n_moves = code[at + 2]
            if n_moves > 0:
                n_rings = 1
                following = at + RING_HEAD + n_moves
                while following < bounds[k + 1] and code[following + 2] < 0:
                    n_rings += 1
                    following += RING_HEAD - code[following + 2]
                out = _head(wkb, out, POLYGON, n_rings)
            n_points = abs(n_moves) + 1
            out = _number(wkb, out, n_points)
            size = n_points * _POINT
            for i in range(size):
                wkb[out + i] = points[taken + i]
            taken += size
            out += size
            at += RING_HEAD + abs(n_moves)


@kernel
def _head(wkb: UInt8, out: int, kind: int, n_parts: int) -> int:
    wkb[out] = _LITTLE_ENDIAN
    return _number(wkb, _number(wkb, out + 1, kind), n_parts)


@kernel
def _number(wkb: UInt8, out: int, value: int) -> int:
    """Write a 32-bit number; returns the place behind it."""
    for i in range(_COUNT):
        wkb[out + i] = (value >> (8 * i)) & 0xFF
    return out + _COUNT
