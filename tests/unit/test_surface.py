"""Surfaces of volumes: those of balls and boxes in voxels of any shape, and the same for any windows."""

from __future__ import annotations

from math import pi

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.quantify.surface import DIRECTIONS, count_exits
from isthmus.tables.surface import direction_weights, surface_um2

SPACINGS = [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (1.0, 0.4, 0.4), (2.0, 0.5, 0.25)]
Spacing = tuple[float, float, float]


def whole(labels: npt.NDArray[np.int32]) -> tuple[slice, slice, slice]:
    z, y, x = (slice(0, n) for n in labels.shape)
    return z, y, x


def ellipsoid(spacing_um: Spacing, radii_um: Spacing) -> npt.NDArray[np.int32]:
    shape = [int(2 * r / s) + 6 for r, s in zip(radii_um, spacing_um, strict=True)]
    axes = [(np.arange(n) - n / 2 + 0.3) * s / r for n, s, r in zip(shape, spacing_um, radii_um, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return (z * z + y * y + x * x < 1).astype(np.int32)


def test_there_are_thirteen_directions() -> None:
    assert len(DIRECTIONS) == 13
    assert len({tuple(np.abs(d)) for d in DIRECTIONS}) == 7
    opposite = {tuple(-n for n in d) for d in DIRECTIONS}
    assert len(opposite | set(DIRECTIONS)) == 26


def test_shares_of_directions_are_those_of_the_literature() -> None:
    weights = dict(zip(DIRECTIONS, direction_weights((1.0, 1.0, 1.0)), strict=True))
    # Legland, Kieu and Devaux 2007, table 4, both senses of a direction together
    assert weights[0, 0, 1] == pytest.approx(2 * 0.04577789, rel=0.01)
    assert weights[0, 1, 1] == pytest.approx(2 * 0.03698062, rel=0.01)
    assert weights[1, 1, 1] == pytest.approx(2 * 0.03519563, rel=0.01)


@pytest.mark.parametrize("spacing_um", SPACINGS)
def test_shares_add_up_to_one(spacing_um: Spacing) -> None:
    assert sum(direction_weights(spacing_um)) == pytest.approx(1.0)


@pytest.mark.parametrize("spacing_um", SPACINGS)
@pytest.mark.parametrize("radius_um", [4.0, 8.0])
def test_balls(spacing_um: Spacing, radius_um: float) -> None:
    labels = ellipsoid(spacing_um, (radius_um,) * 3)
    surface = surface_um2(count_exits(labels, whole(labels), 1), spacing_um)
    assert surface[0] == pytest.approx(4 * pi * radius_um**2, rel=0.01)


def test_a_long_ellipsoid() -> None:
    labels = ellipsoid((1.0, 0.5, 0.5), (6.0, 6.0, 12.0))
    surface = surface_um2(count_exits(labels, whole(labels), 1), (1.0, 0.5, 0.5))
    eccentricity = np.sqrt(1 - 0.25)
    wanted = 2 * pi * 36 * (1 + 2 / eccentricity * np.arcsin(eccentricity))
    assert surface[0] == pytest.approx(wanted, rel=0.02)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_windows_add_up(z: int, y: int, x: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, (6, 9, 9)).astype(np.int32)
    total = np.zeros((2, 13), dtype=np.int64)
    for planes in (slice(0, z), slice(z, 6)):
        for rows in (slice(0, y), slice(y, 9)):
            for columns in (slice(0, x), slice(x, 9)):
                total += count_exits(labels, (planes, rows, columns), 2)
    assert np.array_equal(total, count_exits(labels, whole(labels), 2))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_exits_are_entries_seen_from_behind(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 2, (4, 5, 6)).astype(np.int32)
    turned = np.ascontiguousarray(labels[::-1, ::-1, ::-1])
    assert np.array_equal(count_exits(labels, whole(labels), 1), count_exits(turned, whole(turned), 1))
