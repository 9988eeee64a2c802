"""Sorted pixel values of instances, by compartment, and what is read off them: order statistics and entropy. Kernels.

Values come as segments, two an instance; see quantify.groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.logarithm import log2_of

UInt16 = npt.NDArray[np.uint16]
Int64 = npt.NDArray[np.int64]

NUCLEUS, CYTOPLASM, CELL = 0, 1, 2
MILLI_OF_ALL = 100_000
"""A percentile is given in thousandths of a per cent: whole numbers decide between two values."""


@kernel
def sort_segments(values: UInt16, offsets: Int64, wanted: npt.NDArray[np.bool_]) -> None:
    """Sort the two segments of each instance that is wanted (instances,), in place."""
    longest = 0
    for s in range(offsets.size - 1):
        longest = max(longest, offsets[s + 1] - offsets[s])
    spare = np.empty(longest, np.uint16)
    for k in range(wanted.size):
        if wanted[k]:
            for s in range(2 * k, 2 * k + 2):
                sort_values(values[offsets[s] : offsets[s + 1]], spare)


@kernel
def sort_values(values: UInt16, spare: UInt16) -> None:
    """Sort in place by counting twice: the lower half of the bits that differ, then the upper half.

    spare
        At least as long.
    """
    n = values.size
    if n < 2:
        return
    low, high = values[0], values[0]
    for i in range(n):
        low, high = min(low, values[i]), max(high, values[i])
    bits = 0
    while (np.int64(high) - low) >> bits:
        bits += 1
    half = (bits + 1) // 2
    mask = (1 << half) - 1
    lower, upper = np.zeros((1 << half) + 1, np.int32), np.zeros((1 << half) + 1, np.int32)
    for i in range(n):
        key = np.int64(values[i]) - low
        lower[(key & mask) + 1] += 1
        upper[(key >> half) + 1] += 1
    for i in range(1, mask + 1):
        lower[i] += lower[i - 1]
        upper[i] += upper[i - 1]
    for i in range(n):
        key = (np.int64(values[i]) - low) & mask
        spare[lower[key]] = values[i]
        lower[key] += 1
    for i in range(n):
        key = (np.int64(spare[i]) - low) >> half
        values[upper[key]] = spare[i]
        upper[key] += 1


@kernel
def order_statistics(values: UInt16, offsets: Int64, milli: Int64) -> UInt16:
    """The two values that each percentile lies between.

    Parameters
    ----------
    values, offsets
        Sorted segments.
    milli
        Percentiles in thousandths of a per cent.

    Returns
    -------
    (instances, 3, percentiles, 2): for nucleus, cytoplasm and cell the values at the floor and the ceiling of
    (n - 1) * percentile / 100; 0 where there are no pixels.
    """
    n_instances = offsets.size // 2
    found = np.zeros((n_instances, 3, milli.size, 2), np.uint16)
    for k in range(n_instances):
        nucleus = values[offsets[2 * k] : offsets[2 * k + 1]]
        cytoplasm = values[offsets[2 * k + 1] : offsets[2 * k + 2]]
        for q in range(milli.size):
            for side in range(2):
                found[k, NUCLEUS, q, side] = _at(nucleus, nucleus[:0], milli[q], side)
                found[k, CYTOPLASM, q, side] = _at(cytoplasm, cytoplasm[:0], milli[q], side)
                found[k, CELL, q, side] = _at(nucleus, cytoplasm, milli[q], side)
    return found


@kernel
def _at(one: UInt16, other: UInt16, milli: int, side: int) -> Any:
    """A percentile's lower (0) or upper (1) value among two sorted arrays together."""
    n = one.size + other.size
    if n == 0:
        return 0
    place = (n - 1) * milli
    rank = place // MILLI_OF_ALL
    if side and place % MILLI_OF_ALL:
        rank += 1
    # How many of the rank smallest lie in the first array: the least number after which its next value is not smaller.
    low, high = max(0, rank - other.size), min(rank, one.size)
    while low < high:
        middle = (low + high) // 2
        if one[middle] < other[rank - middle - 1]:
            low = middle + 1
        else:
            high = middle
    if low == one.size:
        return np.int64(other[rank - low])
    if rank - low == other.size:
        return np.int64(one[low])
    return np.int64(min(one[low], other[rank - low]))


@kernel
def entropies(values: UInt16, offsets: Int64) -> npt.NDArray[np.float64]:
    """Entropy in bits of the values of nucleus, cytoplasm and cell (instances, 3); 0 where there are no pixels.

    The sum goes from small to large values, so it is the same wherever it is computed.
    """
    n_instances = offsets.size // 2
    found = np.zeros((n_instances, 3), np.float64)
    for k in range(n_instances):
        nucleus = values[offsets[2 * k] : offsets[2 * k + 1]]
        cytoplasm = values[offsets[2 * k + 1] : offsets[2 * k + 2]]
        found[k, NUCLEUS] = _entropy(nucleus, nucleus[:0])
        found[k, CYTOPLASM] = _entropy(cytoplasm, cytoplasm[:0])
        found[k, CELL] = _entropy(nucleus, cytoplasm)
    return found


@kernel
def _entropy(one: UInt16, other: UInt16) -> float:
    n = one.size + other.size
    if n == 0:
        return 0.0
    total = 0.0
    i = j = 0
    while i < one.size or j < other.size:
        value = one[i] if j == other.size or (i < one.size and one[i] <= other[j]) else other[j]
        count = 0
        while i < one.size and one[i] == value:
            i += 1
            count += 1
        while j < other.size and other[j] == value:
            j += 1
            count += 1
        total += count * log2_of(count)
    return max(0.0, log2_of(n) - total / n)


@kernel
def count_values(
    values: UInt16, offsets: Int64, wanted: Int64
) -> tuple[Int64, UInt16, npt.NDArray[np.int32]]:
    """Histograms of some instances: sizes (instances, 2), and for one segment after the other value and count."""
    sizes = np.zeros((wanted.size, 2), np.int64)
    most = 0
    for k in wanted:
        most += offsets[2 * k + 2] - offsets[2 * k]
    value, count = np.empty(most, np.uint16), np.zeros(most, np.int32)
    found = 0
    for place in range(wanted.size):
        for side in range(2):
            s = 2 * wanted[place] + side
            begin = found
            for i in range(offsets[s], offsets[s + 1]):
                if i == offsets[s] or values[i] != values[i - 1]:
                    value[found] = values[i]
                    found += 1
                count[found - 1] += 1
            sizes[place, side] = found - begin
    return sizes, value[:found].copy(), count[:found].copy()


@kernel
def join_counts(
    segments: Int64, places: Int64, value: UInt16, count: Any, n_segments: int
) -> tuple[UInt16, Int64]:
    """Sorted values from histograms in pieces.

    Parameters
    ----------
    segments
        Segment of each piece, ascending.
    places
        (pieces, 2): where its entries begin and end in `value` and `count`.
    """
    offsets = np.zeros(n_segments + 1, np.int64)
    for k in range(segments.size):
        for i in range(places[k, 0], places[k, 1]):
            offsets[segments[k] + 1] += count[i]
    longest = 0
    for s in range(n_segments):
        longest = max(longest, offsets[s + 1])
        offsets[s + 1] += offsets[s]
    values, spare = np.empty(offsets[-1], np.uint16), np.empty(longest, np.uint16)
    at = 0
    for k in range(segments.size):
        for i in range(places[k, 0], places[k, 1]):
            for _ in range(count[i]):
                values[at] = value[i]
                at += 1
    for s in range(n_segments):
        sort_values(values[offsets[s] : offsets[s + 1]], spare)
    return values, offsets
