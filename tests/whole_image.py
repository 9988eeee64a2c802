"""What the blocks must equal, for images of hundreds of megapixels: the whole image at once, in plain numpy.

Written from the definition alone and without the block code: pointers by comparing shifted arrays, paths by doubling
pointers. Instances are the basins of steepest ascent under (value, row-major index).
"""

from __future__ import annotations

from itertools import product
from math import floor

import numpy as np
import numpy.typing as npt

Landscape = npt.NDArray[np.unsignedinteger]
Labels = npt.NDArray[np.uint32]


def whole_labels(
    landscape: Landscape, *, radius_px: tuple[float, float, float], min_area_px: int = 1
) -> tuple[Labels, npt.NDArray[np.int64]]:
    """Final ids (z, y, x) of an image of fewer than 2^31 pixels, and the row-major index of each id's root.

    Memory is about 16 bytes a pixel and 12 more a pixel of the foreground.
    """
    pointers = _climb(landscape)
    _merge(pointers, landscape, radius_px)
    foreground = np.flatnonzero(landscape)
    place = np.zeros(landscape.size, dtype=np.int32)
    place[foreground] = np.arange(foreground.size, dtype=np.int32)
    parent = place[pointers[foreground]]
    del place, pointers
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            break
        parent = further
    area = np.bincount(parent, minlength=foreground.size)
    kept = np.flatnonzero(area >= max(1, min_area_px))
    number = np.zeros(foreground.size, dtype=np.uint32)
    number[kept] = np.arange(1, kept.size + 1, dtype=np.uint32)
    labels = np.zeros(landscape.shape, dtype=np.uint32)
    labels.reshape(-1)[foreground] = number[parent]
    return labels, foreground[kept]


def _climb(landscape: Landscape) -> npt.NDArray[np.int32]:
    """Flat index of the highest among each pixel and its 8 or 26 neighbours."""
    shape = landscape.shape
    pointers = np.arange(landscape.size, dtype=np.int32).reshape(shape)
    best = landscape.copy()
    own = pointers.copy()
    steps_z = (-1, 0, 1) if shape[0] > 1 else (0,)
    # In rising order of the index, so that of equal values the last one wins, unless the pixel itself comes later.
    for step in product(steps_z, (-1, 0, 1), (-1, 0, 1)):
        if step == (0, 0, 0):
            continue
        here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, shape, strict=True))
        there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, shape, strict=True))
        seen, index = landscape[there], own[there]
        higher = (seen > best[here]) | ((seen == best[here]) & (index > pointers[here]))
        np.copyto(best[here], seen, where=higher)
        np.copyto(pointers[here], index, where=higher)
    return pointers.reshape(-1)


def _merge(
    pointers: npt.NDArray[np.int32], landscape: Landscape, radius_px: tuple[float, float, float]
) -> None:
    """Local peaks point to the highest pixel within an ellipsoid."""
    values = landscape.reshape(-1)
    peaks = np.flatnonzero((pointers == np.arange(pointers.size, dtype=np.int32)) & (values > 0))
    places = np.stack(np.unravel_index(peaks, landscape.shape))
    best, best_index = values[peaks], peaks.copy()
    reach = [floor(r) if n > 1 else 0 for r, n in zip(radius_px, landscape.shape, strict=True)]
    for step in product(*(range(-r, r + 1) for r in reach)):
        if sum((s / r) ** 2 for s, r in zip(step, radius_px, strict=True) if s) > 1 + 1e-9:
            continue
        around = places + np.array(step)[:, np.newaxis]
        inside = ((around >= 0) & (around < np.array(landscape.shape)[:, np.newaxis])).all(axis=0)
        index = np.ravel_multi_index(tuple(around[:, inside]), landscape.shape)
        seen = values[index]
        higher = (seen > best[inside]) | ((seen == best[inside]) & (index > best_index[inside]))
        chosen = np.flatnonzero(inside)[higher]
        best[chosen], best_index[chosen] = seen[higher], index[higher]
    pointers[peaks] = best_index
