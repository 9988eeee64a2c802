"""Spans: runs of pixels along x that lie in one compartment of one instance. Everything is measured span by span.

Label images are piecewise constant, so a sum is kept in a register over a span and written once at its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]

NUCLEUS, CYTOPLASM = 0, 1
"""Place of a compartment in arrays."""

_FIRST_ROOM = 1 << 17
"""Spans there is room for at first; a megapixel of tissue has about as many."""


@dataclass(frozen=True)
class Spans:
    """Spans of a block in row-major order; all arrays have one entry a span.

    row
        Instance's number - 1.
    part
        NUCLEUS or CYTOPLASM.
    line
        z * ny + y in the block.
    start, stop
        First pixel along x, and the one after the last.
    """

    row: Int32
    part: npt.NDArray[np.uint8]
    line: Int32
    start: Int32
    stop: Int32

    def by_instance(self, n_instances: int) -> tuple[Int32, npt.NDArray[np.int64]]:
        """Order of the spans by instance, stable, and where each instance begins in it (one more entry)."""
        return _by_instance(self.row, n_instances)


def find_spans(cells: Int32, nuclei: Int32) -> Spans:
    """Spans of the instances of a block.

    Parameters
    ----------
    cells, nuclei
        Instances (z, y, x), 0 = background; a nucleus pixel has its cell's number in both.
    """
    nx = cells.shape[2]
    lines = (cells.reshape(-1, nx), nuclei.reshape(-1, nx))
    return Spans(*_find_spans(*lines))


@kernel
def _find_spans(cells: Int32, nuclei: Int32) -> tuple[Int32, npt.NDArray[np.uint8], Int32, Int32, Int32]:
    """Spans; nothing branches on a pixel, because labels change too often to be foreseen."""
    n_lines, n = cells.shape
    room = _FIRST_ROOM + n
    row, line_of = np.empty(room, np.int32), np.empty(room, np.int32)
    start, stop = np.empty(room, np.int32), np.empty(room, np.int32)
    part = np.empty(room, np.uint8)
    begins = np.empty(n + 2, np.int32)
    found = 0
    for line in range(n_lines):
        cell, nucleus = cells[line], nuclei[line]
        begins[0] = 0
        n_begins = 1
        for i in range(1, n):
            begins[n_begins] = i
            n_begins += (cell[i] != cell[i - 1]) | (nucleus[i] != nucleus[i - 1])
        begins[n_begins] = n
        if found + n_begins > room:
            room = 2 * room
            row, line_of = _with_room(row, found, room), _with_room(line_of, found, room)
            start, stop = _with_room(start, found, room), _with_room(stop, found, room)
            part = _with_room(part, found, room)
        for k in range(n_begins):
            number = cell[begins[k]]
            row[found] = number - 1
            part[found] = CYTOPLASM - (nucleus[begins[k]] == number)
            line_of[found] = line
            start[found] = begins[k]
            stop[found] = begins[k + 1]
            found += number > 0
    return row[:found], part[:found], line_of[:found], start[:found], stop[:found]


@kernel
def _with_room(values: Any, n: int, room: int) -> Any:
    """The first n values in an array with room for more."""
    larger = np.empty(room, values.dtype)
    larger[:n] = values[:n]
    return larger


@kernel
def _by_instance(row: Int32, n_instances: int) -> tuple[Int32, npt.NDArray[np.int64]]:
    first = np.zeros(n_instances + 1, np.int64)
    for k in range(row.size):
        first[row[k] + 1] += 1
    for k in range(n_instances):
        first[k + 1] += first[k]
    place = first[:-1].copy()
    order = np.empty(row.size, np.int32)
    for k in range(row.size):
        order[place[row[k]]] = k
        place[row[k]] += 1
    return order, first
