"""Cells from nuclei: bounded growth under the total order (distance, instance), exact across blocks.

Every pixel within `expand_um` of a nucleus belongs to the nearest nucleus pixel's instance; of two at the same distance
the smaller instance wins. Squared distances are integers, so nothing depends on rounding. The search runs axis by axis:
within a line only the best (distance, instance) can win for any pixel beside it.
"""

from __future__ import annotations

from math import floor, gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Triple
from isthmus.quantify.grow_kernels import instances_of, spread_across_lines, spread_along_lines

Int32 = npt.NDArray[np.int32]

_NM_PER_UM = 1000
_KEY_BITS = {np.dtype(np.int32): 30, np.dtype(np.int64): 62}


def growth_halo_px(expand_um: float, spacing_um: tuple[float, float, float], *, is_volume: bool) -> Triple:
    """Pixels along each axis (z, y, x) within which a nucleus can reach a pixel."""
    limit = whole_nm(expand_um)
    z, y, x = (limit // whole_nm(s) for s in spacing_um)
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
    nz, ny, nx = nuclei.shape
    limit = whole_nm(expand_um)
    reach = [min(limit // whole_nm(s), n - 1) for s, n in zip(spacing_um, nuclei.shape, strict=True)]
    largest = int(nuclei.max(initial=0))
    if max(reach) < 1 or not largest:
        return nuclei.copy()
    squares = [whole_nm(s) ** 2 for s, steps in zip(spacing_um, reach, strict=True) if steps > 0]
    # Only how squared distances compare matters, so they are counted in their greatest common part: few bits.
    unit = gcd(*squares)
    bits = largest.bit_length()
    farthest = limit * limit // unit
    costs = [_costs(whole_nm(s), steps, unit) for s, steps in zip(spacing_um, reach, strict=True)]
    dtype = _key_dtype(farthest, bits)
    far = dtype.type(1 << _KEY_BITS[dtype])
    steps_z, steps_y, steps_x = ((cost << bits).astype(dtype) for cost in costs)
    lines = np.ascontiguousarray(nuclei).reshape(-1, nx)
    keys = np.empty(lines.shape, dtype=dtype)
    spread_along_lines(lines, steps_x, far, keys)
    if reach[1]:
        keys = spread_across_lines(keys.reshape(nz, ny, nx), steps_y, far).reshape(-1, nx)
    if reach[0]:
        keys = spread_across_lines(keys.reshape(1, nz, ny * nx), steps_z, far)
    cells = np.empty(nuclei.shape, dtype=np.int32)
    reached, mask = dtype.type(((farthest + 1) << bits) - 1), dtype.type((1 << bits) - 1)
    instances_of(keys.reshape(-1), reached, mask, cells.reshape(-1))
    return cells


def whole_nm(um: float) -> int:
    """Whole nanometres: lengths become integers once, here."""
    return floor(um * _NM_PER_UM + 0.5)


def _costs(size_nm: int, steps: int, unit: int) -> npt.NDArray[np.int64]:
    """Squared distance of 0, 1, ... steps along an axis, in units."""
    square = size_nm * size_nm // unit if steps else 0
    return np.array([square * k * k for k in range(steps + 1)], dtype=np.int64)


def _key_dtype(farthest: int, bits: int) -> np.dtype[Any]:
    """Type that holds (squared distance, instance) as one number, with room for the sum of three distances."""
    needed = (3 * farthest + 3).bit_length() + bits
    return np.dtype(np.int32) if needed < _KEY_BITS[np.dtype(np.int32)] else np.dtype(np.int64)
