"""Outlines by other means: well-known binary decoded, rings checked corner by corner, pixels filled in again.

Written from the definitions, with none of the package's code for outlines.
"""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

Ring = list[tuple[float, float]]
Polygon = list[Ring]


def decode(wkb: bytes) -> list[Polygon]:
    """Polygons of a polygon or multipolygon; each a list of closed rings of (x, y)."""
    order, kind, n = struct.unpack_from("<BII", wkb)
    assert order == 1
    if kind == 3:
        polygon, place = _polygon(wkb, 0)
        polygons = [polygon]
    else:
        assert kind == 6
        assert n > 1
        polygons, place = [], 9
        for _ in range(n):
            polygon, place = _polygon(wkb, place)
            polygons.append(polygon)
    assert place == len(wkb)
    return polygons


def _polygon(wkb: bytes, place: int) -> tuple[Polygon, int]:
    order, kind, n_rings = struct.unpack_from("<BII", wkb, place)
    assert (order, kind) == (1, 3)
    place += 9
    rings = []
    for _ in range(n_rings):
        (n,) = struct.unpack_from("<I", wkb, place)
        numbers = struct.unpack_from(f"<{2 * n}d", wkb, place + 4)
        rings.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
        place += 4 + 16 * n
    return rings, place


def signed_area(ring: Ring) -> float:
    """Area of a ring, positive when it runs counterclockwise (y upwards); from its own corner, to lose no digits."""
    points = np.array(ring) - np.array(ring[0])
    x, y = points[:, 0], points[:, 1]
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def area(polygons: list[Polygon]) -> float:
    """Area of polygons less their holes."""
    return sum(signed_area(ring) for polygon in polygons for ring in polygon)


def assert_sound(polygons: list[Polygon]) -> None:
    """Fail unless rings are closed, turn at every corner and meet no corner twice, outer ones counterclockwise.

    Corners must be whole numbers: rings then run along pixel edges, and edges are compared one by one.
    """
    used: set[tuple[float, ...]] = set()
    for polygon in polygons:
        for place, ring in enumerate(polygon):
            assert len(ring) >= 5
            assert ring[0] == ring[-1]
            assert len(set(ring)) == len(ring) - 1
            assert (signed_area(ring) > 0) == (place == 0)
            steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(ring)]
            for one, following in pairwise([*steps, steps[0]]):
                assert (one[0] == 0) != (one[1] == 0)
                assert (one[0] == 0) != (following[0] == 0)
            for a, b in pairwise(ring):
                for edge in _edges(a, b):
                    assert edge not in used
                    used.add(edge)


def _edges(a: tuple[float, float], b: tuple[float, float]) -> list[tuple[float, ...]]:
    """Pixel edges between two corners, by their middle."""
    n = int(abs(a[0] - b[0]) + abs(a[1] - b[1]))
    step = ((b[0] - a[0]) / n, (b[1] - a[1]) / n)
    return [(a[0] + (i + 0.5) * step[0], a[1] + (i + 0.5) * step[1]) for i in range(n)]


def filled(polygon: Polygon, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels inside a polygon with whole corners, by the even-odd rule along each row."""
    crossings = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    for ring in polygon:
        for (x, y), (next_x, next_y) in pairwise(ring):
            if x == next_x:
                crossings[int(min(y, next_y)) : int(max(y, next_y)), int(x)] += 1
    inside: npt.NDArray[np.bool_] = np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1
    return inside


def assert_is_outline_of(polygons: list[Polygon], mask: npt.NDArray[np.bool_]) -> None:
    """Fail unless the polygons are the parts of the mask that share edges, in reading order, each once."""
    assert_sound(polygons)
    parts, n = label(mask)
    assert len(polygons) == n
    total = np.zeros(mask.shape, dtype=np.int64)
    for number, polygon in enumerate(polygons, start=1):
        pixels = filled(polygon, mask.shape)
        assert np.array_equal(pixels, parts == number)
        total += pixels
        assert len(polygon) == label(np.pad(~pixels, 1, constant_values=True))[1]
    assert np.array_equal(total, mask)
