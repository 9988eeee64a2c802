"""Position and ellipse of cells from their sums."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.image.affine import Affine
from isthmus.tables.shape import centroid_um, ellipse


def _shape_of(places):
    z, y, x = np.array(places, dtype=np.int64).T
    return np.array([[z.size, z.sum(), y.sum(), x.sum(), z @ z, y @ y, x @ x, z @ y, z @ x, y @ x]])


def test_a_pixel_lies_half_a_pixel_from_its_corner():
    found = centroid_um(_shape_of([(0, 3, 7)]), Affine.from_size(0.2, 100.0, 50.0), 1.0, is_volume=False)
    np.testing.assert_allclose(found, [[100 + 7.5 * 0.2, 50 + 3.5 * 0.2]])


def test_a_turned_image_turns_the_centroid():
    quarter = Affine(0.0, -0.5, 100.0, 0.5, 0.0, 10.0)
    found = centroid_um(_shape_of([(0, 2, 6)]), quarter, 1.0, is_volume=False)
    np.testing.assert_allclose(found, [[100 - 0.5 * 2.5, 10 + 0.5 * 6.5]])


def test_a_voxel_lies_half_a_step_up():
    found = centroid_um(_shape_of([(4, 0, 0)]), Affine.from_size(1.0), 3.0, is_volume=True)
    np.testing.assert_allclose(found, [[0.5, 0.5, 13.5]])


def test_one_pixel_is_round():
    made = ellipse(_shape_of([(0, 9, 9)]), (1.0, 1.0))
    assert made["major_axis_um"][0] == made["minor_axis_um"][0] == 0
    assert made["eccentricity"][0] == 0


@pytest.mark.parametrize("size_um", [(1.0, 1.0), (0.5, 0.5), (2.0, 0.25)])
def test_a_line_points_along_itself(size_um):
    along_y = ellipse(_shape_of([(0, y, 5) for y in range(50)]), size_um)
    along_x = ellipse(_shape_of([(0, 5, x) for x in range(400)]), size_um)
    np.testing.assert_allclose(along_y["orientation_rad"], 0, atol=1e-12)
    np.testing.assert_allclose(np.abs(along_x["orientation_rad"]), np.pi / 2)
    np.testing.assert_allclose(along_y["major_axis_um"], 4 * size_um[0] * ((50**2 - 1) / 12) ** 0.5)
    np.testing.assert_allclose(along_x["minor_axis_um"], 0, atol=1e-6)


def test_the_diagonal_is_an_eighth_turn():
    down = ellipse(_shape_of([(0, k, k) for k in range(30)]), (1.0, 1.0))
    up = ellipse(_shape_of([(0, k, 30 - k) for k in range(30)]), (1.0, 1.0))
    np.testing.assert_allclose(down["orientation_rad"], np.pi / 4)
    np.testing.assert_allclose(up["orientation_rad"], -np.pi / 4)


def test_where_a_cell_lies_does_not_change_its_form():
    near = [(0, int(y), int(x)) for y, x in np.random.default_rng(0).integers(0, 40, (60, 2))]
    far = [(0, y + 400_000, x + 500_000) for _, y, x in near]
    one, other = ellipse(_shape_of(near), (0.3, 0.3)), ellipse(_shape_of(far), (0.3, 0.3))
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12)


def test_no_cells_have_no_shape():
    none = np.empty((0, 10), dtype=np.int64)
    assert all(values.size == 0 for values in ellipse(none, (1.0, 1.0)).values())
    assert centroid_um(none, Affine.from_size(1.0), 1.0, is_volume=True).shape == (0, 3)
