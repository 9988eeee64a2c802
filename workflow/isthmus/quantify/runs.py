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

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

RUN_COLUMNS = ("number", "z", "y", "x_start", "x_stop")
"""Columns of an array of runs (runs, 5), int32: the instance, and pixels of the image, x_stop not included."""

_FIRST_ROOM = 4096


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
    return _by_number(_scan(labels, np.array(write.start, dtype=np.int64)))


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
def _scan(labels: Int32, start: Int64) -> Int32:
    """Runs in the order of the pixels."""
    nz, ny, nx = labels.shape
    runs = np.empty((_FIRST_ROOM, 5), dtype=np.int32)
    ends = np.empty(nx + 1, dtype=np.int32)
    n = 0
    for i in range(nz):
        for j in range(ny):
            row = labels[i, j]
            # What does not count is written too, and written over: branches that cannot be foreseen cost more.
            n_ends = 0
            for k in range(nx - 1):
                ends[n_ends] = k + 1
                n_ends += row[k] != row[k + 1]
            ends[n_ends] = nx
            n_ends += 1
            if n + n_ends > len(runs):
                larger = np.empty((2 * (n + n_ends), 5), dtype=np.int32)
                larger[:n] = runs[:n]
                runs = larger
            first = np.int32(0)
            for e in range(n_ends):
                instance = row[first]
                runs[n, 0] = instance
                runs[n, 1], runs[n, 2] = start[0] + i, start[1] + j
                runs[n, 3], runs[n, 4] = start[2] + first, start[2] + ends[e]
                n += instance != 0
                first = ends[e]
    return runs[:n]


@kernel
def _by_number(runs: Int32) -> Int32:
    """Runs sorted by their instance; those of one instance keep their order."""
    n_instances = np.int64(0)
    for i in range(len(runs)):
        n_instances = max(n_instances, np.int64(runs[i, 0]))
    place = np.zeros(n_instances + 1, dtype=np.int64)
    for i in range(len(runs)):
        place[runs[i, 0]] += 1
    before = np.int64(0)
    for number in range(n_instances + 1):
        count = place[number]
        place[number] = before
        before += count
    sorted_runs = np.empty_like(runs)
    for i in range(len(runs)):
        number = runs[i, 0]
        for column in range(5):
            sorted_runs[place[number], column] = runs[i, column]
        place[number] += 1
    return sorted_runs
