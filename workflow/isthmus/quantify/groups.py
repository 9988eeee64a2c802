"""Pixel values of a block, grouped by instance and compartment: kernels.

Values come as segments of one flat array: segment 2 * k is the nucleus of instance k, segment 2 * k + 1 its cytoplasm;
segment s is values[offsets[s] : offsets[s + 1]]. Whatever is measured of a segment then reads neighbours in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.spans import Spans

UInt16 = npt.NDArray[np.uint16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_AT_ONCE = 16
"""Pixels copied whether a span has that many or not: few spans are longer, and a fixed number needs no loop."""


@dataclass(frozen=True)
class Groups:
    """Where the pixels of a block's spans go; the same for every channel.

    begin, length
        Of every span, in the order of the segments: first pixel in the flat block, and number of pixels.
    offsets
        Where each segment begins among the values, and their end.
    """

    begin: Int64
    length: Int32
    offsets: Int64

    def values(self, pixels: npt.NDArray[np.unsignedinteger[Any]]) -> UInt16:
        """Values of all segments, from the pixels (z, y, x) of the block in one channel, of 8 or 16 bits."""
        return _gather(pixels.reshape(-1), self.begin, self.length, self.offsets[-1])


def group_spans(spans: Spans, n_instances: int, nx: int) -> Groups:
    """Group the spans of a block whose lines have nx pixels."""
    return Groups(*_group(spans.row, spans.part, spans.line, spans.start, spans.stop, n_instances, nx))


@kernel
def _group(
    row: Any, part: Any, line: Any, start: Any, stop: Any, n_instances: int, nx: int
) -> tuple[Int64, Int32, Int64]:
    first, offsets = np.zeros(2 * n_instances + 1, np.int64), np.zeros(2 * n_instances + 1, np.int64)
    for k in range(row.size):
        s = 2 * np.int64(row[k]) + np.int64(part[k])
        first[s + 1] += 1
        offsets[s + 1] += np.int64(stop[k]) - np.int64(start[k])
    for n in range(2 * n_instances):
        first[n + 1] += first[n]
        offsets[n + 1] += offsets[n]
    begin, length = np.empty(row.size, np.int64), np.empty(row.size, np.int32)
    for k in range(row.size):
        s = 2 * np.int64(row[k]) + np.int64(part[k])
        place = first[s]
        begin[place] = np.int64(line[k]) * nx + np.int64(start[k])
        length[place] = stop[k] - start[k]
        first[s] = place + 1
    return begin, length, offsets


@kernel
def _gather(pixels: Any, begin: Int64, length: Int32, n: int) -> UInt16:
    """The pixels of one span after the other; what is copied too much is written over by the next."""
    values = np.empty(n + _AT_ONCE, np.uint16)
    at: Any = 0
    for k in range(begin.size):
        source: Any = begin[k]
        size: Any = np.int64(length[k])
        if source + _AT_ONCE <= pixels.size:
            one, target = pixels[source : source + _AT_ONCE], values[at : at + _AT_ONCE]
            for i in range(_AT_ONCE):
                target[i] = one[i]
            for i in range(_AT_ONCE, size):
                values[at + i] = pixels[source + i]
        else:
            for i in range(size):
                values[at + i] = pixels[source + i]
        at += size
    return values[:n]
