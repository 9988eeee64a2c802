"""Functions made of correctly rounded operations give what the libraries' give, to the last digits."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.quantify.logarithm import log2_of
from isthmus.tables.elementary import angle, cube_root, eigenvalues

SIZES = st.floats(1e-12, 1e12)
NUMBERS = st.floats(-1e9, 1e9).filter(lambda x: x == 0 or abs(x) > 1e-9)


@given(SIZES)
def test_cube_root(value):
    np.testing.assert_allclose(cube_root(np.array([value])), np.cbrt([value]), rtol=4e-16)


def test_cube_root_of_nothing_and_of_cubes():
    assert cube_root(np.array([0.0, 1.0, 8.0, 27.0, 1e9])).tolist() == [0, 1, 2, 3, 1000]


@given(NUMBERS, NUMBERS)
def test_angle(y, x):
    y, x = y + 0.0, x + 0.0  # no negative zeros
    np.testing.assert_allclose(angle(np.array([y]), np.array([x])), np.arctan2([y], [x]), rtol=1e-15, atol=0)


@pytest.mark.parametrize(
    ("y", "x", "expected"),
    [(0, 0, 0), (0, 1, 0), (0, -1, pi), (1, 0, pi / 2), (-1, 0, -pi / 2), (-0.0, -1, pi), (0.0, -0.0, 0)],
)
def test_angle_along_axes(y, x, expected):
    assert angle(np.array([float(y)]), np.array([float(x)])).tolist() == [expected]


@given(st.lists(st.floats(-1e3, 1e3), min_size=9, max_size=9))
def test_eigenvalues(numbers):
    points = np.array(numbers).reshape(3, 3)
    matrix = points @ points.T
    found, scale = eigenvalues(matrix[np.newaxis])[0], max(np.abs(matrix).max(), 1.0)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(matrix), rtol=0, atol=1e-13 * scale)


def test_eigenvalues_of_special_matrices():
    matrices = np.stack([np.zeros((3, 3)), np.eye(3), np.ones((3, 3)), np.diag([3.0, 1.0, 2.0])])
    expected = [[0, 0, 0], [1, 1, 1], [0, 0, 3], [1, 2, 3]]
    np.testing.assert_allclose(eigenvalues(matrices), expected, atol=1e-15)
    assert eigenvalues(np.zeros((0, 3, 3))).shape == (0, 3)


def test_log2():
    counts = [*range(1, 3000), 2**24 - 1, 2**24, 2**31 + 7, 2**40 - 1, 2**52 + 1]
    found = np.array([log2_of(count) for count in counts])
    np.testing.assert_allclose(found, np.log2(np.array(counts, dtype=np.float64)), rtol=1e-15)
    assert [log2_of(2**k) for k in range(40)] == list(range(40))
