"""Cells from nuclei: bounded growth under the total order (distance, instance), exact across blocks.

Every pixel within `expand_um` of a nucleus belongs to the nearest nucleus pixel's instance; of two at the same distance
the smaller instance wins. Squared distances are integers, so nothing depends on rounding. The search runs axis by axis:
within a line only the best (distance, instance) can win for any pixel beside it.
"""

from __future__ import annotations

from math import floor

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Triple
from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_NM_PER_UM = 1000
_FAR = np.iinfo(np.int64).max


def growth_halo_px(expand_um: float, spacing_um: tuple[float, float, float], *, is_volume: bool) -> Triple:
    """Pixels along each axis (z, y, x) within which a nucleus can reach a pixel."""
    limit = _nm(expand_um)
    z, y, x = (limit // _nm(s) for s in spacing_um)
    return (z if is_volume else 0, y, x)


def grow(nuclei: Int32, *, expand_um: float, spacing_um: tuple[float, float, float]) -> Int32:
    """Grow instances by at most `expand_um`.

    Parameters
    ----------
    nuclei
        Instances (z, y, x), 0 = background; numbers must be in the order of the ids. Pixels nearer to the array's
        edge than `growth_halo_px` are right only where the edge is the image's.
    expand_um
        Largest distance between the centres of a pixel and of the nearest nucleus pixel.
    spacing_um
        Pixel spacing (z, y, x).

    Returns
    -------
    Instances of the same shape; nuclei keep their pixels.
    """
    limit = _nm(expand_um)
    weights = [_nm(s) ** 2 for s in spacing_um]
    reach = [min(limit // _nm(s), n - 1) for s, n in zip(spacing_um, nuclei.shape, strict=True)]
    distance = np.where(nuclei > 0, np.int64(0), np.int64(_FAR))
    cells = nuclei.astype(np.int32, copy=True)
    for axis in (1, 2, 0):
        if reach[axis] < 1:
            continue
        lines_d = np.moveaxis(distance, axis, -1)
        lines_i = np.moveaxis(cells, axis, -1)
        shape = lines_d.shape
        flat_d = np.ascontiguousarray(lines_d).reshape(-1, shape[-1])
        flat_i = np.ascontiguousarray(lines_i).reshape(-1, shape[-1])
        new_d, new_i = _spread(flat_d, flat_i, weights[axis], reach[axis], limit * limit)
        distance = np.moveaxis(new_d.reshape(shape), -1, axis)
        cells = np.moveaxis(new_i.reshape(shape), -1, axis)
    return np.ascontiguousarray(cells)


def _nm(um: float) -> int:
    """Whole nanometres: lengths become integers once, here."""
    return floor(um * _NM_PER_UM + 0.5)


@kernel
def _spread(distance: Int64, instance: Int32, weight: int, reach: int, limit: int) -> tuple[Int64, Int32]:
    """Along each line, the smallest (squared distance, instance) that any pixel within reach offers."""
    n_lines, n = distance.shape
    new_distance = np.empty_like(distance)
    new_instance = np.empty_like(instance)
    for line in range(n_lines):
        for i in range(n):
            best = distance[line, i]
            who = instance[line, i]
            for step in range(1, reach + 1):
                cost = weight * step * step
                if cost > best or cost > limit:
                    break
                for j in (i - step, i + step):
                    if 0 <= j < n and instance[line, j] > 0:
                        total = distance[line, j] + cost
                        if total <= limit and (total < best or (total == best and instance[line, j] < who)):
                            best = total
                            who = instance[line, j]
            new_distance[line, i] = best
            new_instance[line, i] = who
    return new_distance, new_instance
