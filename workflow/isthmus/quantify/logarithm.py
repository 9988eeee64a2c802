"""Logarithm of whole numbers from +, -, x and / alone: kernel.

IEEE 754 rounds these in one way, so a value is the same on every machine; logarithms of libraries differ in the last
digit.
"""

from __future__ import annotations

from isthmus.blocks.kernel import kernel

_TWO_OVER_LN2 = 2.8853900817779268
_ROOT_OF_HALF = 0.7071067811865476
_TERMS = 11
"""Of the series of artanh up to 0.172: what follows is less than 1e-18."""


@kernel
def log2_of(number: int) -> float:
    """Binary logarithm of a number of at least 1: that of its power of two, and of what is left by artanh's series."""
    power, rest = 0, float(number)
    while rest > 2 * _ROOT_OF_HALF:
        rest *= 0.5
        power += 1
    part = (rest - 1) / (rest + 1)
    square, series = part * part, 0.0
    for term in range(_TERMS - 1, -1, -1):
        series = 1 / (2 * term + 1) + square * series
    return power + _TWO_OVER_LN2 * part * series
