"""Kernels of bounded growth. A key is (squared distance << bits | instance): its order is that of the two together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]

_STRIP = 512
"""Pixels of a line that are worked on at a time: the lines within reach stay in the fast cache."""


@kernel
def spread_along_lines(instances: Int32, steps: Any, far: Any, keys: Any) -> None:
    """Best key that any pixel of the same line offers.

    Parameters
    ----------
    instances
        (lines, pixels), 0 = background.
    steps
        Cost of 0, 1, ... pixels, as far as growth reaches, shifted as in a key.
    far
        A key that says that nothing is in reach.
    keys
        (lines, pixels), filled.
    """
    n_lines, n = instances.shape
    reach = steps.size - 1
    for line in range(n_lines):
        row, key = instances[line], keys[line]
        key[:] = far
        i = 0
        while i < n:
            if row[i] == 0:
                i += 1
                continue
            start = i
            # The pixels of the nuclei themselves, up to the next gap.
            while i < n and row[i] > 0:
                key[i] = row[i]
                i += 1
            left, right = row[start], row[i - 1]
            for k in range(1, min(reach, n - i) + 1):
                if row[i - 1 + k] > 0:
                    break
                key[i - 1 + k] = steps[k] + right
            for k in range(1, min(reach, start) + 1):
                if row[start - k] > 0:
                    break
                key[start - k] = min(key[start - k], steps[k] + left)


@kernel
def _take_better(best: Any, offered: Any, step: Any) -> None:
    for i in range(best.size):
        best[i] = min(best[i], offered[i] + step)


@kernel
def _take_better_of_two(best: Any, one: Any, other: Any, step: Any) -> None:
    for i in range(best.size):
        best[i] = min(best[i], min(one[i], other[i]) + step)


@kernel
def spread_across_lines(keys: Any, steps: Any, far: Any) -> Any:
    """Best key that any pixel of the same column offers.

    Parameters
    ----------
    keys
        (groups, lines, pixels).
    steps
        Cost of 0, 1, ... lines, as far as growth reaches, shifted as in a key.
    far
        A key that says that nothing is in reach; twice as much still fits the type.
    """
    groups, n_lines, n = keys.shape
    reach = steps.size - 1
    spread = np.empty_like(keys)
    n_strips = (n + _STRIP - 1) // _STRIP
    filled = np.zeros(n_lines, np.bool_)
    for group in range(groups):
        for strip in range(n_strips):
            a = strip * _STRIP
            b = min(n, a + _STRIP)
            for line in range(n_lines):
                nearest = far
                for i in range(a, b):
                    nearest = min(nearest, keys[group, line, i])
                filled[line] = nearest < far
            for line in range(n_lines):
                best = spread[group, line, a:b]
                best[:] = keys[group, line, a:b]
                for k in range(1, reach + 1):
                    above = line >= k and filled[line - k]
                    below = line + k < n_lines and filled[line + k]
                    if above and below:
                        _take_better_of_two(
                            best, keys[group, line - k, a:b], keys[group, line + k, a:b], steps[k]
                        )
                    elif above:
                        _take_better(best, keys[group, line - k, a:b], steps[k])
                    elif below:
                        _take_better(best, keys[group, line + k, a:b], steps[k])
    return spread


@kernel
def instances_of(keys: Any, largest: Any, mask: Any, instances: Int32) -> None:
    """The instance of every key that is not above the largest allowed."""
    for i in range(keys.size):
        instances[i] = keys[i] & mask if keys[i] <= largest else 0
