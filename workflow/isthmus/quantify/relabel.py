"""Replace labels by what a table says, and find which there are: kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel


def relabel(
    labels: npt.NDArray[Any], table: npt.NDArray[Any], made: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """The entry table[label] of every label, in the type of table; put into `made` where that is given.

    IndexError if the table has no entry for a label.
    """
    labels = np.ascontiguousarray(labels)
    if made is None:
        made = np.empty(labels.shape, dtype=table.dtype)
    planes = (np.newaxis,) * (3 - labels.ndim)
    if not _look_up(labels[planes], table, made[planes]):
        raise IndexError(f"a label is not below {table.size}")
    return made


def seen_labels(labels: npt.NDArray[Any], n_labels: int) -> npt.NDArray[np.bool_]:
    """Which of the labels 1 to n_labels there are; IndexError if there are others."""
    seen = np.zeros(n_labels + 1, dtype=np.bool_)
    if not _mark(np.ascontiguousarray(labels).reshape(-1), seen):
        raise IndexError(f"a label is not below {seen.size}")
    return seen[1:]


@kernel
def _look_up(labels: Any, table: Any, made: Any) -> Any:
    """Fill `made` (z, y, x); False if the table is too short. Labels below 0 are large numbers here."""
    known: Any = True
    n = np.uint64(table.size)
    nz, ny, nx = labels.shape
    for z in range(nz):
        for y in range(ny):
            line, target = labels[z, y], made[z, y]
            for x in range(nx):
                label = np.uint64(line[x])
                inside = label < n
                known &= inside
                target[x] = table[label if inside else np.uint64(0)]
    return known


@kernel
def _mark(labels: Any, seen: Any) -> Any:
    known: Any = True
    n = np.uint64(seen.size)
    for i in range(labels.size):
        label = np.uint64(labels[i])
        inside = label < n
        known &= inside
        seen[label if inside else np.uint64(0)] = True
    return known
