"""Outlines painted as labels: the rule, independence of the cut, memory by the block, and refusals."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import PolygonBatch, PolygonsPart
from isthmus.readers.polygons import batch_of, batch_of_rings
from isthmus.segment.polygons import PolygonLabels, check_polygons, store_polygons

AFFINE = Affine(0.5, 0.0, 100.0, 0.0, 0.25, -40.0)
SHAPE = (1, 300, 330)


def with_ids(batch: PolygonBatch, ids: list[int]) -> PolygonBatch:
    return PolygonBatch(np.array(ids), batch.planes, batch.first_ring, batch.first_vertex, batch.xy_um)


def part_of(rings_px: list[np.ndarray], ids: list[int], planes: list[int] | None = None) -> PolygonsPart:
    """Polygons of one ring each, given in pixels."""
    um = [np.stack(AFFINE.to_um(ring[:, 0], ring[:, 1]), axis=1) for ring in rings_px]
    batch = batch_of_rings(np.array(planes or [0] * len(ids), dtype=np.int64), [[ring] for ring in um])
    return PolygonsPart(lambda: iter([with_ids(batch, ids)]), ())


def painted(part: PolygonsPart, folder: Path, shape: tuple[int, int, int] = SHAPE) -> PolygonLabels:
    store_polygons(part, folder, affine=AFFINE, shape=shape, where="row 2")
    return PolygonLabels(folder)


def whole(labels: PolygonLabels, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return labels.read(0, tuple(slice(0, n) for n in shape))


coordinates = st.integers(-40, 360).map(lambda n: n + 0.3719)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7), min_size=1, max_size=5),
    st.tuples(st.integers(0, 299), st.integers(0, 329), st.integers(1, 300), st.integers(1, 330)),
)
def test_a_pixel_is_inside_where_its_centre_is_whatever_the_window(polygons, window):
    rings = [np.array(polygon) for polygon in polygons]
    ids = [(7 * k) % 5 + 1 for k in range(len(rings))]
    top, left, height, width = window
    bottom, right = min(top + height, 300), min(left + width, 330)
    with TemporaryDirectory() as folder:
        try:
            labels = painted(part_of(rings, ids), Path(folder, "p"))
        except UserError:
            return  # none of them reaches the image
        made = labels.read(0, (slice(0, 1), slice(top, bottom), slice(left, right)))[0]
        assert np.array_equal(made, whole(labels)[0, top:bottom, left:right])
    rows, columns = np.mgrid[top:bottom:7, left:right:7]
    for y, x in zip(rows.ravel(), columns.ravel(), strict=True):
        holding = [i for ring, i in zip(rings, ids, strict=True) if odd_crossings(ring, x + 0.5, y + 0.5)]
        assert made[y - top, x - left] == min(holding, default=0)


def odd_crossings(ring: np.ndarray, x: float, y: float) -> bool:
    """By definition, edge by edge."""
    n = 0
    for (xa, ya), (xb, yb) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if (ya <= y) != (yb <= y):
            n += bool(x >= xa + (y - ya) * (xb - xa) / (yb - ya))
    return n % 2 == 1


def test_neighbours_that_share_an_edge_share_no_pixel_and_leave_none_out(tmp_path):
    a, b, c, d = (10.2, 5.7), (200.9, 31.3), (181.1, 280.4), (3.3, 220.6)
    one, other = np.array([a, b, c]), np.array([a, c, d])
    together = whole(painted(part_of([np.array([a, b, c, d])], [9]), tmp_path / "all")) > 0
    alone = [
        whole(painted(part_of([ring], [9]), tmp_path / str(k))) > 0 for k, ring in enumerate((one, other))
    ]
    assert not (alone[0] & alone[1]).any()
    assert np.array_equal(alone[0] | alone[1], together)


def test_holes_parts_and_large_ids_are_kept(tmp_path):
    square = shapely.box(10, 10, 60, 60) - shapely.box(20, 20, 30, 30)
    shape = shapely.MultiPolygon([square, shapely.box(100, 100, 110, 120)])
    moved = shapely.transform(shape, lambda xy: np.stack(AFFINE.to_um(xy[:, 0], xy[:, 1]), axis=1))
    batch = with_ids(batch_of(np.zeros(1, dtype=np.int64), np.array([moved])), [2**62 + 1])
    labels = whole(painted(PolygonsPart(lambda: iter([batch]), ()), tmp_path / "p"))[0]
    expected = np.zeros(SHAPE[1:], dtype=np.int64)
    expected[10:60, 10:60] = expected[100:120, 100:110] = 2**62 + 1
    expected[20:30, 20:30] = 0
    assert np.array_equal(labels, expected)


def test_planes_stay_apart_in_a_volume_and_join_in_a_plane(tmp_path):
    rings = [np.array([[5.0, 5], [20, 5], [20, 20], [5, 20]]) + 10 * k for k in range(3)]
    part = part_of(rings, [4, 4, 9], [0, 1, 1])
    volume = whole(painted(part, tmp_path / "v", (2, 300, 330)), (2, 300, 330))
    assert [np.unique(plane).tolist() for plane in volume] == [[0, 4], [0, 4, 9]]
    flat = whole(painted(part, tmp_path / "f"))[0]
    assert np.array_equal(flat > 0, (volume > 0).any(axis=0))
    only = PolygonsPart(part.batches, (), only_plane=0)
    assert np.array_equal(whole(painted(only, tmp_path / "o"))[0], volume[0])


def test_a_window_reads_its_own_polygons_only(tmp_path, monkeypatch):
    n, square = 400, np.array([[0.0, 0], [9, 0], [9, 9], [0, 9]])
    rings = [square + np.array([k % 20, k // 20]) * 100 for k in range(n)]
    labels = painted(part_of(rings, list(range(1, n + 1))), tmp_path / "p", (1, 2000, 2000))
    seen: list[int] = []
    touching = PolygonLabels._touching

    def watched(self, window):
        found = touching(self, window)
        seen.append(found.size)
        return found

    monkeypatch.setattr(PolygonLabels, "_touching", watched)
    made = labels.read(0, (slice(0, 1), slice(1024, 1280), slice(512, 768)))
    assert seen[0] <= 12
    assert np.unique(made).tolist() == [0, *(20 * row + column + 1 for row in (11, 12) for column in (6, 7))]


@pytest.mark.parametrize("check", [True, False])
def test_outlines_beside_the_image_are_told_with_both_places(tmp_path, check):
    part = part_of([np.array([[400.0, 5], [420, 5], [410, 30]])], [1])
    place = {"affine": AFFINE, "shape": SHAPE, "where": "row 2"}
    tell = partial(check_polygons, part) if check else partial(store_polygons, part, tmp_path / "p")
    with pytest.raises(
        UserError, match=r"none of 1 polygons lies in the image: they cover x 300\.0 to 310\.0"
    ):
        tell(**place)


def test_an_id_below_one_is_refused(tmp_path):
    with pytest.raises(UserError, match="has the id 0"):
        painted(part_of([np.array([[4.0, 5], [42, 5], [41, 30]])], [0]), tmp_path / "p")
