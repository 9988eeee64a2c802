"""Outlines of pixels: shapes drawn by hand, and random ones against their pixels."""

from __future__ import annotations

import numpy as np
import pytest
from outline_check import area, assert_is_outline_of, decode

from isthmus.blocks.grid import Region
from isthmus.image.affine import Affine
from isthmus.quantify.outlines import trace_outlines
from isthmus.quantify.runs import pixel_runs
from isthmus.tables.wkb import encode, measure

PIXELS = Affine.from_size(1.0)


def drawn(text):
    """A label image (z = 1, y, x) from rows of digits, dots for nothing."""
    rows = [[0 if c == "." else int(c) for c in row] for row in text.split()]
    return np.array([rows], dtype=np.int32)


def outlines_of(labels, start=(0, 0, 0), affine=PIXELS, origin=(0, 0)):
    """Polygons of each instance, as they are read from well-known binary."""
    write = Region(start, tuple(s + n for s, n in zip(start, labels.shape, strict=True)))
    made = trace_outlines(pixel_runs(labels, write=write), origin=origin)
    back = np.tile(np.array(origin, dtype=np.int32), (made.number.size, 1))
    found = encode(made.code, made.bounds, back, affine)
    assert np.array_equal(measure(made.code, made.bounds, back, affine)[1], found.box)
    polygons = {}
    for i, number in enumerate(made.number.tolist()):
        polygons[number] = decode(found.wkb[found.bounds[i] : found.bounds[i + 1]].tobytes())
        points = np.array([point for polygon in polygons[number] for ring in polygon for point in ring])
        assert found.box[i].tolist() == [*points.min(axis=0), *points.max(axis=0)]
    return polygons


def square(x, y, width=1, height=1):
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]


def hole(x, y, width=1, height=1):
    return square(x, y, width, height)[::-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1", [[square(0, 0)]], id="one pixel, the whole image"),
        pytest.param(".... .1.. ....", [[square(1, 1)]], id="one pixel"),
        pytest.param("111 111", [[square(0, 0, 3, 2)]], id="whole block"),
        pytest.param("111 1.1 111", [[square(0, 0, 3, 3), hole(1, 1)]], id="ring"),
        pytest.param("1. .1", [[square(0, 0)], [square(1, 1)]], id="diagonal"),
        pytest.param(".1 1.", [[square(1, 0)], [square(0, 1)]], id="other diagonal"),
        pytest.param(
            ".1. 111 .1.",
            [
                [
                    [
                        *((1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (2, 2), (2, 3)),
                        *((1, 3), (1, 2), (0, 2), (0, 1), (1, 1), (1, 0)),
                    ]
                ]
            ],
            id="plus",
        ),
        pytest.param(
            "1.1 111",
            [[[(0, 0), (1, 0), (1, 1), (2, 1), (2, 0), (3, 0), (3, 2), (0, 2), (0, 0)]]],
            id="comb",
        ),
        pytest.param(
            "111 1.1 11.",
            [[[(0, 0), (3, 0), (3, 2), (2, 2), (2, 3), (0, 3), (0, 0)], hole(1, 1)]],
            id="a hole that touches the outside in a corner",
        ),
        pytest.param(
            "1111 1.11 11.1 1111",
            [[square(0, 0, 4, 4), hole(1, 1), hole(2, 2)]],
            id="two holes that touch",
        ),
        pytest.param(
            "11111 1...1 1.1.1 1...1 11111",
            [[square(0, 0, 5, 5), hole(1, 1, 3, 3)], [square(2, 2)]],
            id="an island in a hole",
        ),
        pytest.param(
            "1111 1.11 11.1 111.",
            [[[(0, 0), (4, 0), (4, 3), (3, 3), (3, 4), (0, 4), (0, 0)], hole(1, 1), hole(2, 2)]],
            id="a chain of holes to the outside",
        ),
    ],
)
def test_golden_shapes(text, expected):
    assert outlines_of(drawn(text))[1] == [[_turned(ring) for ring in polygon] for polygon in expected]


def _turned(ring):
    """A ring from its first corner in reading order on."""
    first = min(range(len(ring) - 1), key=lambda i: ring[i][::-1])
    return [*ring[first:-1], *ring[: first + 1]]


def test_golden_shapes_are_those_of_their_pixels():
    text = "1111 1.11 11.1 111."
    assert_is_outline_of(outlines_of(drawn(text))[1], drawn(text)[0] > 0)


def test_neighbours_share_their_border():
    left, right = outlines_of(drawn("122 112")).values()
    assert left == [[[(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (0, 2), (0, 0)]]]
    assert right == [[[(1, 0), (3, 0), (3, 2), (2, 2), (2, 1), (1, 1), (1, 0)]]]


def test_coordinates_are_those_of_the_image():
    labels = np.ones((1, 1, 2), dtype=np.int32)
    expected = [[square(600, 50, 2, 1)]]
    assert outlines_of(labels, start=(0, 50, 600))[1] == expected
    assert outlines_of(labels, start=(0, 50, 600), origin=(50, 600))[1] == expected


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize("seed", range(4))
def test_random_instances(kind, seed):
    random = np.random.default_rng(seed)
    share, n = [(0.3, 1), (0.55, 1), (0.6, 1), (0.8, 1), (0.97, 1), (0.8, 3)][kind]
    labels = np.where(random.random((1, 23, 29)) < share, random.integers(1, n + 1, (1, 23, 29)), 0)
    found = outlines_of(labels.astype(np.int32))
    assert sorted(found) == np.unique(labels[labels > 0]).tolist()
    for number, polygons in found.items():
        assert_is_outline_of(polygons, labels[0] == number)
        assert area(polygons) == np.count_nonzero(labels == number)


def test_a_volume_has_the_outlines_of_its_footprint():
    random = np.random.default_rng(3)
    labels = np.where(random.random((5, 12, 14)) < 0.2, random.integers(1, 4, (5, 12, 14)), 0)
    labels = labels.astype(np.int32)
    labels[0][labels[0] == 3] = 0
    labels[4] = np.where(labels[4] == 2, 1, labels[4])
    made = trace_outlines(pixel_runs(labels, write=Region((7, 0, 0), (12, 12, 14))))
    for number, polygons in outlines_of(labels).items():
        assert_is_outline_of(polygons, (labels == number).any(axis=0))
    for place, number in enumerate(made.number):
        z = np.flatnonzero((labels == number).any(axis=(1, 2))) + 7
        assert made.z[place].tolist() == [z[0], z[-1]]


def test_runs_may_come_in_any_order_and_overlap():
    labels = drawn("11.11 11111 .1.1.")
    runs = pixel_runs(labels, write=Region((0, 0, 0), labels.shape))
    cut = np.array([[1, 0, 1, 0, 2], [1, 0, 1, 2, 3], [1, 0, 1, 1, 3]], dtype=np.int32)
    given = np.concatenate([runs, cut])[[7, 0, 3, 5, 1, 6, 4, 2]]
    one, other = trace_outlines(runs), trace_outlines(given)
    assert np.array_equal(one.code, other.code)


def test_micrometres_are_those_of_the_affine():
    affine = Affine(0.3, -0.05, 1000.25, 0.1, 0.4, -77.5)
    for polygon in outlines_of(drawn("111 1.1 111"), affine=affine)[1]:
        for ring, pixels in zip(polygon, [square(0, 0, 3, 3), hole(1, 1)], strict=True):
            x, y = affine.to_um(*np.array(_turned(pixels), dtype=float).T)
            assert ring == list(zip(x.tolist(), y.tolist(), strict=True))


@pytest.mark.parametrize(
    "affine", [Affine(0.5, 0, 3, 0, -0.5, 9), Affine(-0.5, 0, 3, 0, 0.5, 9), Affine(0, 1, 0, 1, 0, 0)]
)
def test_outer_rings_run_counterclockwise_when_the_image_is_turned_over(affine):
    for polygon in outlines_of(drawn("111 1.1 111 .1. 1.."), affine=affine)[1]:
        assert [area([[ring]]) > 0 for ring in polygon] == [True] + [False] * (len(polygon) - 1)
    assert area(outlines_of(drawn("111 1.1 111"), affine=affine)[1]) == 8 * affine.pixel_area_um2


def test_nothing_has_no_outlines():
    assert outlines_of(np.zeros((1, 3, 3), dtype=np.int32)) == {}
