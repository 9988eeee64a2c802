"""Surfaces of instances in a volume as counts of the places where lines leave them: kernel.

Along each of the 13 directions in which voxels touch, the lines through voxel centres leave an instance as often as
they enter it. By the formula of Crofton its surface is four times the mean, over all directions, of the area that it
would shade, and that follows from the counts (Legland, Kieu and Devaux, doi:10.5566/ias.v26.p83-92; Ohser and
Muecklich, "Statistical analysis of microstructures in materials science"). Counts are whole numbers, so they may be
added up over blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]

DIRECTIONS = tuple((z, y, x) for z in (0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0))
"""One of each pair of opposite directions to a neighbour (z, y, x)."""

MARGIN_PX = 1


def count_exits(labels: Int32, inner: tuple[slice, slice, slice], n_instances: int) -> Int32:
    """Count where lines leave each instance.

    Parameters
    ----------
    labels
        Instances (z, y, x), 0 = background, with MARGIN_PX around `inner` except at the image's edge, beyond which is
        background.
    inner
        The voxels that are counted.

    Returns
    -------
    (instances, 13): voxels whose neighbour in a direction of DIRECTIONS is not of the instance.
    """
    window = np.array([[part.start, part.stop] for part in inner], dtype=np.int64)
    steps = np.array(DIRECTIONS, dtype=np.int64)
    counts = np.zeros((n_instances + 1, len(DIRECTIONS)), dtype=np.int32)
    _count(np.ascontiguousarray(labels), window, steps, counts)
    return counts[1:]


@kernel
def _count(labels: Any, window: Any, steps: Any, counts: Any) -> None:
    nz, ny, nx = labels.shape
    for z in range(window[0, 0], window[0, 1]):
        for y in range(window[1, 0], window[1, 1]):
            for x in range(window[2, 0], window[2, 1]):
                label = labels[z, y, x]
                if label == 0:
                    continue
                for k in range(steps.shape[0]):
                    c, b, a = z + steps[k, 0], y + steps[k, 1], x + steps[k, 2]
                    beyond = c >= nz or b < 0 or b >= ny or a < 0 or a >= nx
                    if beyond or labels[c, b, a] != label:
                        counts[label, k] += 1
