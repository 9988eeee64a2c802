"""Roots, angles and eigenvalues from +, -, x, / and square roots alone, element by element.

IEEE 754 rounds these operations in one way, so a value comes out the same on every machine. Libraries of mathematical
functions and LAPACK round theirs as they like: results differ in the last digits between versions and processors.
"""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_ARCTAN_TERMS = 13
"""Of the series below tan(pi / 16): what follows is less than 1e-19."""

_ROOT_STEPS = 7
_SWEEPS = 8
"""More than either needs to settle: both double their correct digits with every step in the end."""


def cube_root(values: npt.NDArray[np.floating[Any]]) -> Float64:
    """Cube roots of numbers that are not negative, by Newton's method."""
    mantissa, exponent = np.frexp(values)
    third = -(-exponent // 3)
    scaled = np.ldexp(mantissa, exponent - 3 * third)  # 1/8 to 1
    root = np.ones_like(scaled)
    for _ in range(_ROOT_STEPS):
        root = (2 * root + scaled / (root * root)) / 3
    return np.where(values > 0, np.ldexp(root, third), 0.0)


def angle(y: Float64, x: Float64) -> Float64:
    """Angles of the points (x, y) in radians, from -pi to pi; 0 at the origin. A zero has no sign here."""
    high, low = np.maximum(np.abs(x), np.abs(y)), np.minimum(np.abs(x), np.abs(y))
    tangent = low / np.where(high > 0, high, 1.0)
    for _ in range(2):  # half the angle twice
        tangent = tangent / (1 + np.sqrt(1 + tangent * tangent))
    square, series = tangent * tangent, np.zeros_like(tangent)
    for term in reversed(range(_ARCTAN_TERMS)):
        series = (-1) ** term / (2 * term + 1) + square * series
    turned = 4 * tangent * series
    turned = np.where(np.abs(y) > np.abs(x), pi / 2 - turned, turned)
    turned = np.where(x < 0, pi - turned, turned)
    return np.where(y < 0, -turned, turned)


def eigenvalues(matrices: Float64) -> Float64:
    """Eigenvalues, ascending, of symmetric matrices (n, 3, 3), by Jacobi's rotations in a fixed order."""
    a = {(i, j): matrices[:, i, j].copy() for i in range(3) for j in range(i, 3)}
    for _ in range(_SWEEPS):
        for p, q, other in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
            _rotate(a, p, q, other)
    return np.sort(np.stack([a[i, i] for i in range(3)], axis=1), axis=1)


def _rotate(a: dict[tuple[int, int], Float64], p: int, q: int, other: int) -> None:
    """Turn the axes p and q so that nothing is left between them."""
    mixed = a[p, q]
    half = (a[q, q] - a[p, p]) / 2
    size = np.abs(half) + np.sqrt(half * half + mixed * mixed)
    tangent = np.where(half < 0, -mixed, mixed) / np.where(size > 0, size, 1.0)
    cosine = 1 / np.sqrt(1 + tangent * tangent)
    sine = tangent * cosine
    with_p, with_q = (min(p, other), max(p, other)), (min(q, other), max(q, other))
    a[p, p], a[q, q] = a[p, p] - tangent * mixed, a[q, q] + tangent * mixed
    a[p, q] = np.zeros_like(mixed)
    one, two = a[with_p], a[with_q]
    a[with_p], a[with_q] = cosine * one - sine * two, sine * one + cosine * two
