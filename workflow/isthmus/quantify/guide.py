"""Cells from nuclei, guided by a channel: growth along the cheapest path, under the total order (cost, instance).

A step from a pixel to one of its neighbours costs its length, and more the less the pixel that is entered invites: of
a membrane channel the brighter, of a cytoplasm channel the darker it is. A pixel belongs to the instance that reaches
it at the least cost within the largest distance; of two at the same cost the smaller instance wins. Costs are whole
nanometres and a step never costs less than its length, so a path stays within the largest distance of its nucleus:
growth with a halo of that distance is that of the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import isqrt
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.grow import whole_nm

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt16 = npt.NDArray[np.uint16]

LEVELS = 256
"""Brightness is told in this many equal steps from dark to bright."""

_ID_BITS = 32
_FAR = np.int64(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Guide:
    """How a channel guides growth.

    channel
        Index of the channel.
    kind
        `membrane`: bright pixels hold growth up; `cytoplasm`: dark pixels do.
    weight_milli
        A step into a pixel that holds growth up fully costs 1 + weight_milli / 1000 times its length.
    dark, bright
        Values that count as quite dark and quite bright; all others lie between, in proportion.
    """

    channel: int
    kind: Literal["membrane", "cytoplasm"]
    weight_milli: int
    dark: int
    bright: int

    def levels(self, pixels: npt.NDArray[np.unsignedinteger[Any]]) -> UInt16:
        """How much each pixel holds growth up, 0 to LEVELS."""
        above = np.clip(pixels.astype(np.int64), self.dark, max(self.bright, self.dark)) - self.dark
        brightness = above * LEVELS // max(1, self.bright - self.dark)
        held = brightness if self.kind == "membrane" else LEVELS - brightness
        return held.astype(np.uint16)


def grow_guided(
    nuclei: Int32,
    pixels: npt.NDArray[np.unsignedinteger[Any]],
    guide: Guide,
    *,
    expand_um: float,
    spacing_um: tuple[float, float, float],
) -> Int32:
    """Grow instances along the cheapest paths of at most `expand_um`.

    Parameters
    ----------
    nuclei
        Instances (z, y, x), 0 = background; numbers must be in the order of the ids. Pixels nearer to the array's
        edge than `growth_halo_px` are right only where the edge is the image's.
    pixels
        The guiding channel, of the same shape.
    spacing_um
        Pixel spacing (z, y, x).

    Returns
    -------
    Instances of the same shape; nuclei keep their pixels.
    """
    limit = whole_nm(expand_um)
    if limit == 0 or not nuclei.any():
        return nuclei.copy()
    deep = (-1, 0, 1) if nuclei.shape[0] > 1 else (0,)
    steps = [step for step in product(deep, (-1, 0, 1), (-1, 0, 1)) if any(step)]
    lengths = np.array([_length_nm(step, spacing_um) for step in steps], dtype=np.int64)
    held = 1000 * LEVELS + guide.weight_milli * np.arange(LEVELS + 1, dtype=np.int64)
    costs = lengths[:, np.newaxis] * held // (1000 * LEVELS)
    # A frame that nothing enters spares all questions about edges.
    framed = np.pad(nuclei, 1)
    _, ny, nx = framed.shape
    places = np.array([(dz * ny + dy) * nx + dx for dz, dy, dx in steps], dtype=np.int64)
    inside = (slice(1, -1),) * 3
    best = np.full(framed.shape, -1, dtype=np.int64)
    best[inside] = np.where(nuclei > 0, nuclei.astype(np.int64), _FAR)
    _spread(best.reshape(-1), np.pad(guide.levels(pixels), 1).reshape(-1), places, costs, limit)
    reached = best[inside]
    cells: Int32 = np.where(reached == _FAR, 0, reached & ((1 << _ID_BITS) - 1)).astype(np.int32)
    return cells


def _length_nm(step: tuple[int, int, int], spacing_um: tuple[float, float, float]) -> int:
    """Length of a step, rounded up: no path is shorter than it counts."""
    square = sum((part * whole_nm(size)) ** 2 for part, size in zip(step, spacing_um, strict=True))
    return isqrt(square - 1) + 1


@kernel
def _spread(best: Int64, levels: UInt16, places: Int64, costs: Int64, limit: int) -> None:
    """Settle pixels by ascending cost; a bucket a nanometre holds the pixels that may be settled at that cost.

    Parameters
    ----------
    best
        Keys (cost << 32 | instance): nuclei have cost 0, what is not reached yet the largest number, the frame -1.
    places, costs
        Of every step: how far it goes in the flat array, and its cost by the level of the pixel that is entered.
    """
    heads = np.full(limit + 1, -1, np.int32)
    pixel, following = np.empty(4096, np.int64), np.empty(4096, np.int32)
    n = 0
    for at in range(best.size):
        if 0 < best[at] < (np.int64(1) << _ID_BITS):
            if n == pixel.size:
                pixel, following = _more_room(pixel), _more_room(following)
            pixel[n], following[n], heads[0] = at, heads[0], n
            n += 1
    for cost in range(limit + 1):
        entry = heads[cost]
        while entry >= 0:
            at = pixel[entry]
            entry = following[entry]
            if best[at] >> _ID_BITS != cost:
                continue  # it was reached more cheaply since
            instance = best[at] & ((np.int64(1) << _ID_BITS) - 1)
            for k in range(places.size):
                there = at + places[k]
                total = cost + costs[k, levels[there]]
                key = total << _ID_BITS | instance
                if total > limit or key >= best[there]:
                    continue
                best[there] = key
                if n == pixel.size:
                    pixel, following = _more_room(pixel), _more_room(following)
                pixel[n], following[n], heads[total] = there, heads[total], n
                n += 1


@kernel
def _more_room(array: Any) -> Any:
    larger = np.empty(2 * array.size, array.dtype)
    larger[: array.size] = array
    return larger
