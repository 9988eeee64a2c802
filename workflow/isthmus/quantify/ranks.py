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
        first = np.int64(1)
        while 2 * first <= np.int64(high) - np.int64(low):
            first *= 2
        for q in range(milli.size):
            _select(
                room[:middle],
                room[middle:last],
                (split - begin, end - split),
                first,
                milli[q],
                found[k, :, q],
            )
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
def _select(nucleus: UInt16, cytoplasm: UInt16, sizes: Any, first: Any, milli: Any, found: UInt16) -> None:
    """The two values that a percentile of nucleus, cytoplasm and cell lies between; nothing where there are no values.

    nucleus, cytoplasm
        Values from 0 to less than twice `first`, a power of two; filled up.
    sizes
        How many values of nucleus and cytoplasm there are.
    found
        (3, 2).
    """
    ranks, odd = _ranks(sizes, milli)
    # The largest numbers that no more than `rank` values are below, bit by bit. The three searches wait for their
    # counts together.
    one, two, three = np.int64(0), np.int64(0), np.int64(0)
    bit = first
    while bit:
        core, in_core = _count_up_to(nucleus, one + bit - 1, three + bit - 1)
        rest, in_rest = _count_up_to(cytoplasm, two + bit - 1, three + bit - 1)
        one += bit if core <= ranks[NUCLEUS] else 0
        two += bit if rest <= ranks[CYTOPLASM] else 0
        three += bit if in_core + in_rest <= ranks[CELL] else 0
        bit >>= 1
    core, in_core = _count_up_to(nucleus, one, three)
    rest, in_rest = _count_up_to(cytoplasm, two, three)
    if sizes[0]:
        above = _next_above(nucleus, np.uint16(one)) if odd[NUCLEUS] and core == ranks[NUCLEUS] + 1 else one
        found[NUCLEUS, 0], found[NUCLEUS, 1] = one, above
    if sizes[1]:
        above = (
            _next_above(cytoplasm, np.uint16(two)) if odd[CYTOPLASM] and rest == ranks[CYTOPLASM] + 1 else two
        )
        found[CYTOPLASM, 0], found[CYTOPLASM, 1] = two, above
    above = three
    if odd[CELL] and in_core + in_rest == ranks[CELL] + 1:
        above = min(_next_above(nucleus, np.uint16(three)), _next_above(cytoplasm, np.uint16(three)))
    found[CELL, 0], found[CELL, 1] = three, above


@kernel
def _ranks(sizes: Any, milli: Any) -> Any:
    """Rank of the lower value of a percentile in nucleus, cytoplasm and cell, and whether the upper is another."""
    one, two = (sizes[0] - 1) * milli, (sizes[1] - 1) * milli
    three = (sizes[0] + sizes[1] - 1) * milli
    ranks = (one // MILLI_OF_ALL, two // MILLI_OF_ALL, three // MILLI_OF_ALL)
    return ranks, (one % MILLI_OF_ALL > 0, two % MILLI_OF_ALL > 0, three % MILLI_OF_ALL > 0)


@kernel
def _count_up_to(values: UInt16, one: Any, two: Any) -> Any:
    """How many of the values, whose number is a multiple of _AT_ONCE, are at most `one`, and at most `two`."""
    n_one: Any = np.int64(0)
    n_two: Any = np.int64(0)
    most_one, most_two = np.uint16(one), np.uint16(two)
    for begin in range(np.uint64(0), np.uint64(values.size), np.uint64(_AT_ONCE)):
        # Few enough to be counted in 16 bits, so that vectors hold many.
        count_one: Any = np.uint16(0)
        count_two: Any = np.uint16(0)
        for i in range(np.uint64(_AT_ONCE)):
            value = values[begin + i]
            count_one = np.uint16(count_one + np.uint16(value <= most_one))
            count_two = np.uint16(count_two + np.uint16(value <= most_two))
        n_one += np.int64(count_one)
        n_two += np.int64(count_two)
    return n_one, n_two


@kernel
def _next_above(values: UInt16, below: np.uint16) -> np.uint16:
    """The smallest value above `below`, the largest number if there is none."""
    least = _FILL
    for i in range(values.size):
        least = min(least, values[i] if values[i] > below else _FILL)
    return least
