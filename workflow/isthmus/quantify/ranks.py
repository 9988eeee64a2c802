"""Order statistics without sorting: kernels. A rank's value is found bit by bit, counting the values below it.

Counting needs no branch and takes many values at a time; with noisy pixels about ten counts find a value. That is
cheaper than sorting as long as few ranks are asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.values import CELL, CYTOPLASM, MILLI_OF_ALL, NUCLEUS

UInt16 = npt.NDArray[np.uint16]
Int64 = npt.NDArray[np.int64]

_AT_ONCE = 64
"""Values are filled up to a multiple of this with the largest number, which counts leave out."""
_FILL = np.uint16(0xFFFF)


@kernel
def select_ranks(values: UInt16, offsets: Int64, milli: Int64, wanted: npt.NDArray[np.bool_]) -> UInt16:
    """What `quantify.values.order_statistics` finds, of segments in any order; 0 for instances that are not wanted."""
    n_instances = wanted.size
    found = np.zeros((n_instances, 3, milli.size, 2), np.uint16)
    longest = 0
    for k in range(n_instances):
        longest = max(longest, offsets[2 * k + 2] - offsets[2 * k])
    room = np.empty(longest + 2 * _AT_ONCE, np.uint16)
    for k in range(n_instances):
        begin, split, end = offsets[2 * k], offsets[2 * k + 1], offsets[2 * k + 2]
        if not wanted[k] or begin == end:
            continue
        low, high = _extremes(values[begin:end])
        # Relative to the smallest, so that as few bits as can be are left to find.
        middle = _fill_up(values[begin:split], low, room)
        last = middle + _fill_up(values[split:end], low, room[middle:])
        above = np.int64(high) - np.int64(low)
        _select(room[:middle], split - begin, above, milli, found[k, NUCLEUS])
        _select(room[middle:last], end - split, above, milli, found[k, CYTOPLASM])
        _select(room[:last], end - begin, above, milli, found[k, CELL])
        for part, n in ((NUCLEUS, split - begin), (CYTOPLASM, end - split), (CELL, end - begin)):
            if n:
                found[k, part] += low
    return found


@kernel
def _extremes(values: UInt16) -> tuple[np.uint16, np.uint16]:
    low, high = _FILL, np.uint16(0)
    for i in range(values.size):
        low, high = min(low, values[i]), max(high, values[i])
    return low, high


@kernel
def _fill_up(values: UInt16, low: np.uint16, room: UInt16) -> int:
    """Copy values less `low` and fill up; returns how many there are then."""
    size = (values.size + _AT_ONCE - 1) // _AT_ONCE * _AT_ONCE
    for i in range(values.size):
        room[i] = np.uint16(values[i] - low)
    for i in range(values.size, size):
        room[i] = _FILL
    return size


@kernel
def _select(filled: UInt16, n: Any, most: Any, milli: Int64, found: UInt16) -> None:
    """The two values that each percentile of n values from 0 to `most` lies between."""
    if n == 0:
        return
    first = np.int64(1)
    while 2 * first <= most:
        first *= 2
    for q in range(milli.size):
        place = (n - 1) * milli[q]
        rank = place // MILLI_OF_ALL
        # The largest number that no more than `rank` values are below, bit by bit.
        value, bit = np.int64(0), first
        while bit:
            tried = value + bit
            value = tried if _count_up_to(filled, tried - 1) <= rank else value
            bit >>= 1
        found[q, 0] = value
        found[q, 1] = value
        if place % MILLI_OF_ALL and _count_up_to(filled, value) == rank + 1:
            found[q, 1] = _next_above(filled, np.uint16(value))


@kernel
def _count_up_to(values: UInt16, most: Any) -> Any:
    """How many of the values, whose number is a multiple of _AT_ONCE, are at most `most`."""
    n: Any = np.int64(0)
    limit = np.uint16(most)
    for begin in range(np.uint64(0), np.uint64(values.size), np.uint64(_AT_ONCE)):
        # Few enough to be counted in 16 bits, so that vectors hold many.
        count: Any = np.uint16(0)
        for i in range(np.uint64(_AT_ONCE)):
            count = np.uint16(count + np.uint16(values[begin + i] <= limit))
        n += np.int64(count)
    return n


@kernel
def _next_above(values: UInt16, below: np.uint16) -> np.uint16:
    """The smallest value above `below`, the largest number if there is none."""
    least = _FILL
    for i in range(values.size):
        least = min(least, values[i] if values[i] > below else _FILL)
    return least
