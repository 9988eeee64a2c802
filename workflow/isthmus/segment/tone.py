"""Global properties of a channel from its exact histogram: background, contrast unit, tone scale, thresholds.

Only whole numbers are used, so every block of an image, on every machine, works with the same values.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel

OCTAVE = 4096
"""Tones per doubling of (signal + unit)."""


class Survey(Protocol):
    """What a method may know of a whole channel."""

    @property
    def histogram(self) -> NDArray[np.int64]:
        """Number of pixels of each value, 0 to 65535."""

    def percentile(self, q: float) -> int:
        """Smallest value that at least q percent of the pixels do not exceed."""


@kernel
def _fill_tones(background: int, unit: int, table: Any) -> None:
    """Binary logarithm of 1 + signal / unit in fixed point, one bit a squaring."""
    for value in range(table.size):
        signal = max(0, value - background)
        ratio = (np.uint64(signal + unit) << np.uint64(31)) // np.uint64(unit)
        octaves = 0
        while ratio >= np.uint64(1 << 32):
            ratio >>= np.uint64(1)
            octaves += 1
        tone = octaves
        for _ in range(12):
            ratio = (ratio * ratio) >> np.uint64(31)
            tone <<= 1
            if ratio >= np.uint64(1 << 32):
                ratio >>= np.uint64(1)
                tone |= 1
        table[value] = min(tone, 65535)


@lru_cache(maxsize=16)
def tone_table(background: int, unit: int) -> NDArray[np.uint16]:
    """Look-up table value -> tone = OCTAVE * log2(1 + max(0, value - background) / unit), rounded down.

    Linear in the signal where it is small against the unit, logarithmic where it is large: equal ratios of
    brightness are equal steps, yet noise near the background is not blown up.
    """
    if unit < 1:
        raise ValueError(f"the unit must be at least 1, not {unit}")
    table = np.empty(65536, np.uint16)
    _fill_tones(background, unit, table)
    table.setflags(write=False)
    return table


@kernel
def _look_up(table: Any, keys: Any, values: Any) -> None:
    for n in range(keys.size):
        values[n] = table[keys[n]]


def look_up(table: NDArray[np.uint16], keys: NDArray[np.unsignedinteger]) -> NDArray[np.uint16]:
    """What a table holds for each key; all keys must be below its size. Several times as fast as indexing with them."""
    values = np.empty(keys.shape, np.uint16)
    _look_up(table, np.ascontiguousarray(keys).reshape(-1), values.reshape(-1))
    return values


def two_classes(levels: Iterable[int], counts: Iterable[int]) -> tuple[int, int] | None:
    """Return the means of the two classes that Otsu's threshold makes, or None if all pixels are equal.

    `levels` ascend. Exact: candidates are compared as fractions. DOI 10.1109/TSMC.1979.4310076
    """
    bins = [(int(level), int(count)) for level, count in zip(levels, counts, strict=True) if count]
    all_count = sum(count for _, count in bins)
    all_sum = sum(level * count for level, count in bins)
    below_count = below_sum = 0
    best = (-1, 1)
    means: tuple[int, int] | None = None
    for level, count in bins[:-1]:
        below_count += count
        below_sum += level * count
        above_count, above_sum = all_count - below_count, all_sum - below_sum
        between = (above_sum * below_count - below_sum * above_count) ** 2
        weight = below_count * above_count
        if between * best[1] > best[0] * weight:
            best = (between, weight)
            means = (below_sum // below_count, above_sum // above_count)
    return means
