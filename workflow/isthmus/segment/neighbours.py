"""The highest of a pixel's neighbours, a row at a time: a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.blocks.kernel import kernel


@kernel
def compare_row(row: Any, step: int, best: Any, steps: Any) -> None:
    """Let three pixels of a row compete with the best so far of each place; of equals the later one wins.

    `row` is two pixels longer than `best`, the values to beat, and `steps`, the flat steps to where they are. `step`
    leads to the middle one of the three.
    """
    west, middle, east = np.int32(step - 1), np.int32(step), np.int32(step + 1)
    for x in range(best.size):
        high, way = best[x], steps[x]
        way = west if row[x] >= high else way
        high = max(high, row[x])
        way = middle if row[x + 1] >= high else way
        high = max(high, row[x + 1])
        steps[x] = east if row[x + 2] >= high else way
        best[x] = max(high, row[x + 2])
