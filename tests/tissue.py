"""Generated tissue with known truth, larger than memory: any window of it, made without its surroundings.

Every pixel is a whole-number function of (seed, channel, z, y, x): the same on any machine, and a window equals the
same window of the whole. A square of 4096 pixels (0.5 um) holds about 33,000 nuclei of about 16 pixels. They differ
in size, shape, turn and brightness, lie sparse or crowded, touch and overlap; the background is uneven, chromatin
has texture, noise grows with the signal. Channel 0 shows nuclei, 1 to 3 markers whose level depends on the cell: in
the nucleus, in the cytoplasm and at the membrane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, isqrt, pi, sin

import numpy as np
import numpy.typing as npt
from tissue_kernels import DRAWN, add_light, draw_nuclei, finish_pixels, interpolate, mix, own_pixels

from isthmus.blocks.grid import Region, Triple

Int64 = npt.NDArray[np.int64]
UInt16 = npt.NDArray[np.uint16]

PIXEL_SIZE_UM = 0.5
N_CHANNELS = 4
CHANNELS = ("nuclei", "nuclear_marker", "cytoplasm_marker", "membrane_marker")
PITCH_PX = 20
"""Edge of a lattice square (in volumes: cube); each holds at most one nucleus."""
REACH_PX = 32
"""No nucleus lights pixels further than this from its lattice square."""
SUB = 16
"""Parts of a pixel in which places and lengths are whole numbers."""
OUTLINE = 4096
"""Depth at the outline of a nucleus; 0 at its centre, growing with the square of the distance."""
FAR = 4 * OUTLINE
"""Depth from which a nucleus shows in no channel."""
N_GENES = 300
_TURNS = 64
_LINES = 1 << 20  # lattice squares along x at most, for ids
_SMOOTH_PX, _TEXTURE_PX = 192, 4


@dataclass(frozen=True)
class GeneratedTissue:
    """A plane, or a volume with equal spacing, of nuclei.

    seed
        Other seeds make other tissue.
    is_volume
        Whether nuclei are ellipsoids on a lattice of cubes.
    """

    seed: int = 1
    is_volume: bool = False

    def pixels(self, region: Region, channel: int = 0) -> UInt16:
        """Pixels (z, y, x) of a region in one channel."""
        nuclei = self._nuclei(region)
        light = np.zeros(region.shape, dtype=np.int32)
        start = _start(region)
        add_light(nuclei, start, _profile(channel), DRAWN["level"] + channel, light)
        texture = _TEXTURE_PX if channel == 0 else 2 * _TEXTURE_PX
        smooth = self._field(region, _SMOOTH_PX, 1000 + channel)
        fine = self._field(region, texture, 2000 + channel)
        made = np.empty(region.shape, dtype=np.uint16)
        finish_pixels(light, smooth, fine, start, np.uint64(mix(self.seed, 3000 + channel)), _noise(), made)
        return made

    def truth(self, region: Region) -> Int64:
        """Id of the nucleus at each pixel (z, y, x), 0 for none; of two, the one in which it lies deeper."""
        owner = np.zeros(region.shape, dtype=np.int64)
        own_pixels(self._nuclei(region), _start(region), owner)
        return owner

    def image(self, shape: tuple[int, int], n_channels: int = N_CHANNELS) -> UInt16:
        """A whole plane (c, z = 1, y, x)."""
        region = Region((0, 0, 0), (1, *shape))
        return np.stack([self.pixels(region, channel) for channel in range(n_channels)])

    def transcripts(self, region: Region, per_nucleus: int = 75) -> dict[str, npt.NDArray[np.generic]]:
        """Transcripts of the nuclei whose centres lie in a region's plane, ordered by lattice square.

        Returns
        -------
        y, x in pixels (float64, multiples of 1/16), gene (int32, below N_GENES), cell (int64, the nucleus's id). They
        scatter around the centre; about every fifth lies beyond the outline of the nucleus. Places may lie outside
        the region.
        """
        nuclei = self._nuclei(region)
        centre = nuclei[:, DRAWN["y"] : DRAWN["x"] + 1]
        low, high = _start(region)[1:] * SUB, np.array(region.stop[1:]) * SUB
        nuclei = nuclei[((centre >= low) & (centre < high)).all(axis=1)]
        ids = np.repeat(nuclei[:, DRAWN["id"]], per_nucleus)
        number = np.tile(np.arange(per_nucleus, dtype=np.int64), len(nuclei))
        draw = _hash(self.seed + 4000, ids, number)
        spread = np.repeat(nuclei[:, DRAWN["radius"]], per_nucleus)
        places = {}
        for name, shift in (("y", 0), ("x", 20)):
            # the sum of two even draws: most lie near the centre
            a, b = (
                (draw >> np.uint64(shift)) & np.uint64(1023),
                (draw >> np.uint64(shift + 10)) & np.uint64(1023),
            )
            step = (a.astype(np.int64) + b.astype(np.int64) - 1023) * spread * 5 // (1023 * 4)
            places[name] = (np.repeat(nuclei[:, DRAWN[name]], per_nucleus) + step) / SUB
        kind = np.repeat(nuclei[:, DRAWN["kind"]], per_nucleus)
        gene = (draw >> np.uint64(40)).astype(np.int64) % (N_GENES // 2) + (kind % 4) * (N_GENES // 8)
        return {**places, "gene": gene.astype(np.int32), "cell": ids}

    def _nuclei(self, region: Region) -> Int64:
        """Nuclei that may show in a region: rows of whole numbers, see DRAWN."""
        low = [(a - REACH_PX) // PITCH_PX for a in region.start]
        high = [(b + REACH_PX) // PITCH_PX + 1 for b in region.stop]
        if not self.is_volume:
            low[0], high[0] = 0, 1
        low = [max(0, n) for n in low]
        nz, ny, nx = (max(0, b - a) for a, b in zip(low, high, strict=True))
        counts = (nz, ny, nx)
        made = np.empty((counts[0] * counts[1] * counts[2], len(DRAWN)), dtype=np.int64)
        crowd = self._crowding(low, counts)
        squares = np.array([*low, *counts], dtype=np.int64)
        n = draw_nuclei(squares, self.is_volume, self.seed, _turn_table(), crowd, _LINES, made)
        return made[:n]

    def _crowding(self, low: list[int], counts: Triple) -> npt.NDArray[np.int32]:
        """How crowded each lattice square is, 0 to 65535; a smooth field of the squares (y, x)."""
        stop = (1, low[1] + counts[1], low[2] + counts[2])
        return self._field(Region((0, low[1], low[2]), stop), 16, 5000)

    def _field(self, region: Region, pitch: int, salt: int) -> npt.NDArray[np.int32]:
        """A smooth random field (y, x), 0 to 65535: drawn on a lattice, straight lines between."""
        _, y0, x0 = region.start
        _, y1, x1 = region.stop
        rows = np.arange(y0 // pitch, (y1 - 1) // pitch + 2, dtype=np.int64)[:, np.newaxis]
        columns = np.arange(x0 // pitch, (x1 - 1) // pitch + 2, dtype=np.int64)[np.newaxis]
        nodes = (_hash(self.seed + salt, rows, columns) >> np.uint64(48)).astype(np.int32)
        made = np.empty((y1 - y0, x1 - x0), dtype=np.int32)
        interpolate(nodes, y0, x0, pitch, made)
        return made


def _start(region: Region) -> Int64:
    return np.array(region.start, dtype=np.int64)


def _hash(seed: int, one: Int64, other: Int64) -> npt.NDArray[np.uint64]:
    """64 random bits for each pair of whole numbers: the mixing function of splitmix64."""
    state = np.full(np.broadcast_shapes(one.shape, other.shape), seed, dtype=np.uint64)
    for coordinate in (one, other):
        state = state + coordinate.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return state


@lru_cache
def _turn_table() -> Int64:
    """Cosine and sine (turn, 2) of the turns of nuclei, in 1/1024."""
    turns = [pi * k / _TURNS for k in range(_TURNS)]
    return np.array([(round(1024 * cos(t)), round(1024 * sin(t))) for t in turns], dtype=np.int64)


@lru_cache
def _profile(channel: int) -> npt.NDArray[np.int32]:
    """Light (0 to 256) at each depth: shares of the radius (in 1/1024) between which it rises and falls."""
    rise, fall = {
        0: ((0, 0), (720, 1280)),
        1: ((0, 0), (640, 1200)),
        2: ((640, 1100), (1300, 1800)),
        3: ((1050, 1350), (1450, 1750)),
    }[channel]
    radius = np.array([isqrt(depth * 256) for depth in range(FAR)], dtype=np.int64)  # 1024 at the outline
    up = np.clip((radius - rise[0]) * 256 // max(1, rise[1] - rise[0]), 0, 256) if rise[1] else 256
    down = np.clip((fall[1] - radius) * 256 // (fall[1] - fall[0]), 0, 256)
    return np.minimum(up, down).astype(np.int32)


@lru_cache
def _noise() -> npt.NDArray[np.int32]:
    """Standard deviation of the noise at each value, scaled for `finish_pixels`: light quanta and the camera's own."""
    return np.array([isqrt(9 * value + 400) * 28 for value in range(65536)], dtype=np.int32)
