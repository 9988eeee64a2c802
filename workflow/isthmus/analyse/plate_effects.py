"""Effects of rows and columns of a plate: edges that dry out, dispensers and lamps that drift.

Median polish (Tukey 1977; for screens Brideau et al. 2003, doi:10.1177/1087057103258285): medians of rows and columns
are taken out in turn until they settle. Where it is known which wells were treated alike, their medians are taken out
too and given back at the end: else what a compound does would count as an effect of the rows that it stands in.
Compounds with few wells are taken for without effect, as most of a screen are; they must not fill rows of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST = 4
"""Rows and columns that a plate must have, and wells in each that counts: with fewer, an effect is the well itself."""
LEAST_ALIKE = 3
"""Wells treated alike from which on their median is theirs."""
_ROUNDS = 30
_SETTLED = 1e-6


@dataclass(frozen=True)
class Effects:
    """Of each feature: row effects (rows, features) and column effects (columns, features)."""

    rows: Floats
    columns: Floats

    def of_wells(self, row: Ints, column: Ints) -> Floats:
        """What is to be taken from each well (wells, features)."""
        return self.rows[row] + self.columns[column]


def can_be_found(row: Ints, column: Ints) -> bool:
    """Whether enough rows and columns have enough wells."""
    return all(int((np.bincount(place) >= LEAST).sum()) >= LEAST for place in (row, column))


def find_effects(values: Floats, row: Ints, column: Ints, alike: Sequence[str]) -> Effects:
    """Effects of rows and columns by median polish.

    Parameters
    ----------
    values
        (wells, features); NaN where a well has no value.
    row, column
        (wells,): place of each well, from 0. Rows and columns with fewer than `LEAST` wells have no effect.
    alike
        What was done to each well; the same word for wells treated alike.
    """
    names, number = np.unique(np.asarray(alike, dtype=object).astype(str), return_inverse=True)
    few = np.bincount(number)[number] < LEAST_ALIKE
    number = np.where(few, names.size, number)
    groups = [np.flatnonzero(number == k) for k in range(names.size + 1)]
    lines = [[np.flatnonzero(place == k) for k in range(int(place.max()) + 1)] for place in (row, column)]
    left = values.copy()
    effects = [np.zeros((len(of), values.shape[1])) for of in lines]
    spread = np.nanmax(np.abs(values - _median(values)), axis=0, initial=0.0)
    for _ in range(_ROUNDS):
        for members in groups:
            left[members] -= _median(left[members])
        largest = np.zeros(values.shape[1])
        for axis, of in enumerate(lines):
            steps = np.array(
                [_median(left[members]) if members.size >= LEAST else 0 * spread for members in of]
            )
            steps -= _median(steps)  # what all have in common is no effect
            steps[[members.size < LEAST for members in of]] = 0.0
            effects[axis] += steps
            for members, step in zip(of, steps, strict=True):
                left[members] -= step
            largest = np.maximum(largest, np.abs(steps).max(axis=0))
        if (largest <= _SETTLED * spread).all():
            break
    return Effects(*effects)


def _median(values: Floats) -> Floats:
    """Medians of columns without NaN; 0 where there is nothing else."""
    if not len(values):
        return np.zeros(values.shape[1])
    ordered = np.sort(values, axis=0)  # NaN last
    n = np.isfinite(values).sum(axis=0)
    low, high = (np.maximum(k, 0)[np.newaxis] for k in ((n - 1) // 2, np.minimum(n // 2, len(values) - 1)))
    middle: Floats = (np.take_along_axis(ordered, low, 0) + np.take_along_axis(ordered, high, 0))[0] / 2
    return np.where(n > 0, middle, 0.0)
