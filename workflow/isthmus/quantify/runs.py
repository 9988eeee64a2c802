"""Pixel runs of instances: kernels.

A run is a stretch of pixels of one instance along x. The runs of an instance hold all its pixels, so whatever was not
summed in a block can still be had from them; runs of several blocks joined are those of the whole image, however it was
cut. Only instances that touch a seam are ever needed in more than one block.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.blocks.kernel import kernel
from isthmus.quantify.spans import Spans, find_spans

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

RUN_COLUMNS = ("number", "z", "y", "x_start", "x_stop")
"""Columns of an array of runs (runs, 5), int32: the instance, and pixels of the image, x_stop not included."""


def pixel_runs(labels: Int32, *, write: Region) -> Int32:
    """Runs of all instances of a block.

    Parameters
    ----------
    labels
        Instances (z, y, x) of the block's write region, C-contiguous; 0 = background.
    write
        Where the block lies in the image.

    Returns
    -------
    Array (runs, 5), see RUN_COLUMNS; in the order of number, z, y, x_start.
    """
    spans = find_spans(labels, labels)
    return runs_of_spans(spans, spans.by_instance(int(labels.max(initial=0)))[0], write=write)


def runs_of_spans(spans: Spans, order: Int32, *, write: Region) -> Int32:
    """Runs of a block, as `pixel_runs` finds them, from its spans; `order` is that of `Spans.by_instance`."""
    place = np.array([*write.start, write.shape[1]], dtype=np.int64)
    return _join_spans(spans.row, spans.line, spans.start, spans.stop, order, place)


def seam_instances(labels: Int32, n_instances: int, *, write: Region, image_shape: Triple) -> Bool:
    """Which of the instances 1 to n_instances have a pixel on a face of the block that is no edge of the image.

    The flag `touches_seam` of `quantify.sums`, from the faces alone.
    """
    touches = np.zeros(n_instances + 1, dtype=bool)
    for axis in range(3) if image_shape[0] > 1 else (1, 2):
        if write.start[axis] > 0:
            touches[labels.take(0, axis)] = True
        if write.stop[axis] < image_shape[axis]:
            touches[labels.take(-1, axis)] = True
    return touches[1:]


@kernel
def _join_spans(row: Int32, line: Int32, start: Int32, stop: Int32, order: Int32, place: Int64) -> Int32:
    """Spans in the order of their instances as runs: spans of one instance that touch are one run.

    place holds the block's first pixel (z, y, x) and its lines in a plane.
    """
    runs = np.empty((order.size, 5), dtype=np.int32)
    n, before_row, before_line, end = 0, np.int32(-1), np.int32(-1), np.int32(0)
    for k in order:
        if row[k] == before_row and line[k] == before_line and start[k] == end:
            n -= 1
        else:
            runs[n, 0] = row[k] + 1
            runs[n, 1], runs[n, 2] = place[0] + line[k] // place[3], place[1] + line[k] % place[3]
            runs[n, 3] = place[2] + start[k]
        before_row, before_line, end = row[k], line[k], stop[k]
        runs[n, 4] = place[2] + end
        n += 1
    return runs[:n]
