"""Surfaces in square micrometres from counts of exits along lines (see quantify.surface)."""

from __future__ import annotations

from functools import lru_cache
from math import fsum, sqrt

import numpy as np
import numpy.typing as npt

from isthmus.quantify.surface import DIRECTIONS

Spacing = tuple[float, float, float]

_CELLS = 401
"""Cells along an edge of the cube on which directions are weighed: shares are right to about a hundredth."""


def surface_um2(exits: npt.NDArray[np.int64], spacing_um: Spacing) -> npt.NDArray[np.float64]:
    """Surface of each instance from its exits (instances, 13) and the spacing of voxels (z, y, x)."""
    z, y, x = spacing_um
    voxel_um3 = z * y * x
    total = np.zeros(len(exits))
    # BLAS would add the products in an order of its own.
    for k, (step, weight) in enumerate(zip(DIRECTIONS, direction_weights(spacing_um), strict=True)):
        between_lines_um2 = voxel_um3 / _length(step, spacing_um)
        total += exits[:, k] * (4 * weight * between_lines_um2)
    return total


@lru_cache(maxsize=16)
def direction_weights(spacing_um: Spacing) -> tuple[float, ...]:
    """Share of all directions in space that lie nearest to each of DIRECTIONS or its opposite; they add up to 1.

    A grid on the faces of a cube is weighed by the solid angle of its cells, with products, quotients and roots only.
    """
    units = np.array(
        [[s * n / _length(d, spacing_um) for s, n in zip(spacing_um, d, strict=True)] for d in DIRECTIONS]
    )
    at = (np.arange(_CELLS) + 0.5) * 2 / _CELLS - 1
    v, u = (part.reshape(-1) for part in np.meshgrid(at, at, indexing="ij"))
    squared = 1 + u * u + v * v
    solid = 1 / (squared * np.sqrt(squared))
    weights = [0.0] * len(DIRECTIONS)
    for face in range(3):
        place = [u, v]
        place.insert(face, np.ones_like(u))
        nearness = [abs(a * place[0] + b * place[1] + c * place[2]) for a, b, c in units]
        nearest = np.argmax(np.stack(nearness), axis=0)
        for k in range(len(DIRECTIONS)):
            weights[k] += fsum(solid[nearest == k].tolist())
    whole = fsum(weights)
    return tuple(weight / whole for weight in weights)


def _length(step: tuple[int, int, int], spacing_um: Spacing) -> float:
    z, y, x = (n * size for n, size in zip(step, spacing_um, strict=True))
    return sqrt(z * z + y * y + x * x)
