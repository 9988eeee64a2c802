"""Texture of instances as exact integer sums over pairs of neighbouring pixels: kernels.

The pairs are those of a grey level co-occurrence matrix (DOI 10.1109/TSMC.1973.4309314) of distance 1, all directions
together and both orders counted, over the full grey levels. Its contrast, dissimilarity and correlation need only sums
over pairs, so no matrix is made and nothing is binned. A pair belongs to nucleus or cytoplasm where both pixels do, and
is mixed where one lies in the nucleus and one in the cytoplasm of the same cell.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.spans import Spans

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

MARGIN_PX = 1
PAIR_CLASSES = ("nucleus", "cytoplasm", "mixed")
PAIR_SUMS = ("n", "sum", "sum_squares", "differences", "squared_differences")
"""n, sum and sum_squares count every pair's two pixels; the differences count every pair once.

A cell of 2**24 pixels of 16 bits in a volume has 26 * 2**24 ends of pairs, whose squares sum to less than 2**61.
"""

MIXED = 2


def forward_steps(is_volume: bool) -> npt.NDArray[np.int64]:
    """Steps (z, y, x) to the neighbours after a pixel in row-major order: 4 in a plane, 13 in a volume."""
    steps = product((0, 1) if is_volume else (0,), (-1, 0, 1), (-1, 0, 1))
    return np.array([step for step in steps if step > (0, 0, 0)], dtype=np.int64)


class NeighbourPairs:
    """Which neighbours of a block's pixels lie in the same instance: found once for all channels.

    Parameters
    ----------
    cells, nuclei
        Instances (z, y, x), 0 = background, with MARGIN_PX around `inner` except at the image's edge.
    inner
        The block within these arrays.
    spans
        The block's spans.
    """

    def __init__(
        self, cells: Int32, nuclei: Int32, inner: tuple[slice, slice, slice], spans: Spans, *, is_volume: bool
    ) -> None:
        self._spans = spans
        self._steps = forward_steps(is_volume)
        # Two numbers an instance, in a frame of background, so that no neighbour is missing.
        codes = np.where(cells > 0, 2 * cells + (nuclei != cells), 0).astype(np.int32)
        self._codes = np.pad(codes, 1)
        self._origin = np.array([part.start + 1 for part in inner], dtype=np.int64)
        self._shape = np.array([part.stop - part.start for part in inner], dtype=np.int64)

    def add(self, pixels: npt.NDArray[np.unsignedinteger], n_instances: int) -> Int64:
        """Sums (instances, 3, 5) by PAIR_CLASSES and PAIR_SUMS of a channel's pixels, which have the same margin."""
        sums = np.zeros((n_instances, len(PAIR_CLASSES), len(PAIR_SUMS)), dtype=np.int64)
        spans = self._spans
        _pairs(
            np.pad(pixels, 1),
            self._codes,
            self._origin,
            self._shape,
            self._steps,
            spans.row,
            spans.part,
            spans.line,
            spans.start,
            spans.stop,
            sums,
        )
        return sums


@kernel
def _pairs(
    pixels: Any,
    codes: Int32,
    origin: Int64,
    shape: Int64,
    steps: Int64,
    row: Any,
    part: Any,
    line: Any,
    start: Any,
    stop: Any,
    sums: Int64,
) -> None:
    """Per line: what every pixel adds, then running sums, whose differences are the sums of its spans."""
    n = shape[2]
    x0 = origin[2]
    # Same compartment and mixed: ends of pairs, differences, squared differences.
    ends = np.empty((2, n), np.uint32)
    differences = np.empty((2, n), np.uint32)
    squares = np.empty((2, n), np.uint64)
    running = np.zeros((2, 5, n + 1), np.uint64)
    at = -1
    for k in range(row.size):
        if line[k] != at:
            at = line[k]
            z, y = origin[0] + at // shape[1], origin[1] + at % shape[1]
            ends[:] = 0
            differences[:] = 0
            squares[:] = 0
            value, code = pixels[z, y, x0 : x0 + n], codes[z, y, x0 : x0 + n]
            for s in range(steps.shape[0]):
                dz, dy, dx = steps[s, 0], steps[s, 1], steps[s, 2]
                after, before = slice(x0 + dx, x0 + dx + n), slice(x0 - dx, x0 - dx + n)
                _add_forward(
                    value,
                    code,
                    pixels[z + dz, y + dy, after],
                    codes[z + dz, y + dy, after],
                    ends,
                    differences,
                    squares,
                )
                _add_backward(code, codes[z - dz, y - dy, before], ends)
            for kind in range(2):
                _run(value, ends[kind], differences[kind], squares[kind], running[kind])
        a, b = start[k], stop[k]
        for place in range(5):
            same = running[0, place, b] - running[0, place, a]
            mixed = running[1, place, b] - running[1, place, a]
            sums[row[k], part[k], place] += np.int64(same)
            sums[row[k], MIXED, place] += np.int64(mixed)


@kernel
def _add_forward(
    value: Any, code: Int32, other: Any, other_code: Int32, ends: Any, differences: Any, squares: Any
) -> None:
    ends_same, ends_mixed = ends[0], ends[1]
    same_sum, mixed_sum = differences[0], differences[1]
    same_squares, mixed_squares = squares[0], squares[1]
    for x in range(code.size):
        same = code[x] == other_code[x]
        mixed = (code[x] ^ other_code[x]) == 1
        difference = np.uint32(abs(np.int32(value[x]) - np.int32(other[x])))
        ends_same[x] += np.uint32(same)
        ends_mixed[x] += np.uint32(mixed)
        same_sum[x] += difference if same else np.uint32(0)
        mixed_sum[x] += difference if mixed else np.uint32(0)
        square = np.uint64(difference) * np.uint64(difference)
        same_squares[x] += square if same else np.uint64(0)
        mixed_squares[x] += square if mixed else np.uint64(0)


@kernel
def _add_backward(code: Int32, other_code: Int32, ends: Any) -> None:
    ends_same, ends_mixed = ends[0], ends[1]
    for x in range(code.size):
        ends_same[x] += np.uint32(code[x] == other_code[x])
        ends_mixed[x] += np.uint32((code[x] ^ other_code[x]) == 1)


@kernel
def _run(value: Any, ends: Any, differences: Any, squares: Any, running: Any) -> None:
    n, first, second, third, fourth = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for x in range(value.size):
        end, bright = np.uint64(ends[x]), np.uint64(value[x])
        n += end
        first += end * bright
        second += end * bright * bright
        third += np.uint64(differences[x])
        fourth += squares[x]
        running[0, x + 1] = n
        running[1, x + 1] = first
        running[2, x + 1] = second
        running[3, x + 1] = third
        running[4, x + 1] = fourth
