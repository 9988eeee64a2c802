"""Areas of convex hulls against a count of pixels in a hull made another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import convex_hull_image

from isthmus.quantify.hull import Extents, convex_areas

# First and last pixel of some lines; lines between them may have none.
LINES = st.lists(
    st.tuples(st.integers(1, 4), st.integers(-40, 40), st.integers(0, 30)), min_size=1, max_size=12
)


def _extents(lines, shift=(0, 0)):
    line = np.cumsum([step for step, _, _ in lines]) + shift[0]
    first = np.array([first for _, first, _ in lines]) + shift[1]
    last = first + np.array([more for _, _, more in lines])
    offsets = np.array([0, len(lines)], dtype=np.int64)
    return Extents(offsets, *(column.astype(np.int32) for column in (line, first, last)))


def _by_definition(extents):
    """Pixels whose centres lie in the hull of all edge midpoints: on no outer side of a line through two of them."""
    pixels = np.concatenate([np.stack([extents.line, x], axis=1) for x in (extents.first, extents.last)])
    steps = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])
    points = np.unique((2 * pixels[:, None] + steps).reshape(-1, 2), axis=0)
    rows = np.arange(extents.line[0], extents.line[-1] + 1)
    columns = np.arange(extents.first.min(), extents.last.max() + 1)
    centres = 2 * np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)

    def sides(of):
        """On which side of the line through points a and b each of the points `of` lies: (a, b, of)."""
        along, towards = points[None] - points[:, None], of[None] - points[:, None]
        return along[..., None, 0] * towards[:, None, :, 1] - along[..., None, 1] * towards[:, None, :, 0]

    is_face = (sides(points) >= 0).all(axis=2)
    return int((sides(centres)[is_face] >= 0).all(axis=0).sum())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(-9, 9), st.integers(0, 7)), min_size=1, max_size=6))
def test_area_is_the_number_of_centres_in_the_hull_of_edge_midpoints(lines):
    extents = _extents(lines)
    assert convex_areas(extents).tolist() == [_by_definition(extents)]


@settings(deadline=None)
@given(LINES)
def test_area_is_the_same_anywhere_and_in_a_mirror(lines):
    extents = _extents(lines)
    area = convex_areas(extents).tolist()
    assert convex_areas(_extents(lines, (2**30, 2**29))).tolist() == area
    mirrored = Extents(extents.offsets, extents.line, -extents.last, -extents.first)
    assert convex_areas(mirrored).tolist() == area
    turned = Extents(
        extents.offsets, -extents.line[::-1], extents.first[::-1].copy(), extents.last[::-1].copy()
    )
    assert convex_areas(turned).tolist() == area


@pytest.mark.parametrize("seed", range(20))
def test_area_is_that_of_scikit_image(seed):
    random = np.random.default_rng(seed)
    pixels = np.pad(random.random((30, 24)) < 0.02 * (1 + seed), 2)
    pixels[10, 10] = True
    rows = np.flatnonzero(pixels.any(axis=1))
    first = pixels[rows].argmax(axis=1)
    last = pixels.shape[1] - 1 - pixels[rows, ::-1].argmax(axis=1)
    offsets = np.array([0, rows.size], dtype=np.int64)
    extents = Extents(offsets, *(column.astype(np.int32) for column in (rows, first, last)))
    assert convex_areas(extents).tolist() == [convex_hull_image(pixels).sum()]


def test_nothing_has_no_hull():
    none = np.empty(0, dtype=np.int32)
    assert convex_areas(Extents(np.zeros(3, dtype=np.int64), none, none, none)).tolist() == [0, 0]
