"""Replace labels by what a table says: kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel


def relabel(labels: npt.NDArray[Any], table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The entry table[label] of every label, an array of the shape of labels and the type of table.

    IndexError if the table has no entry for a label.
    """
    flat = np.ascontiguousarray(labels).reshape(-1)
    made = np.empty(flat.size, dtype=table.dtype)
    if not _look_up(flat, table, made):
        raise IndexError(f"a label is not below {table.size}")
    return made.reshape(labels.shape)


@kernel
def _look_up(labels: Any, table: Any, made: Any) -> Any:
    """Fill `made`; False if the table is too short. Labels below 0 are large numbers here."""
    known: Any = True
    n = np.uint64(table.size)
    for i in range(labels.size):
        label = np.uint64(labels[i])
        inside = label < n
        known &= inside
        made[i] = table[label if inside else np.uint64(0)]
    return known
