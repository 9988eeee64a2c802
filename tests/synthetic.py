"""Tissue-like images with known truth: every pixel is a function of the seed and its coordinates alone.

Nuclei are ellipses, one in each square of a lattice of `pitch_px`, moved and turned at random. Any region can be made
without its surroundings, so an image can be larger than memory and a window of it equals the same window of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_ROW = 1 << 20  # lattice squares along x at most, for the truth's ids
_BACKGROUND, _SIGNAL, _NOISE = 100, 900, 120


def uniform(seed: int, *coordinates: npt.ArrayLike) -> Float64:
    """Numbers in [0, 1) from whole coordinates: the mixing function of splitmix64, once a coordinate."""
    shape = np.broadcast_shapes(*(np.shape(c) for c in coordinates))
    state = np.full(shape, seed & 0xFFFFFFFFFFFFFFFF, dtype=np.uint64)
    for coordinate in coordinates:
        state = state + np.asarray(coordinate, dtype=np.int64).astype(np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) / float(1 << 53)


@dataclass(frozen=True)
class Tissue:
    """A plane of nuclei; truth and pixels of any region.

    pitch_px
        Edge of a lattice square. Nuclei of neighbouring squares may touch.
    radius_px
        Smallest and largest semi-axis.
    """

    seed: int = 1
    pitch_px: int = 14
    radius_px: tuple[float, float] = (3.5, 6.5)

    def truth(self, region: Region) -> Int64:
        """Id of the nucleus at each pixel (y, x) of a region's plane, 0 for none; the innermost one wins."""
        rows, columns = self._grids(region)
        best, owner = np.full(rows.shape, 1.0), np.zeros(rows.shape, dtype=np.int64)
        for step_i in (-1, 0, 1):
            for step_j in (-1, 0, 1):
                i, j = rows // self.pitch_px + step_i, columns // self.pitch_px + step_j
                depth = self._depth(i, j, rows, columns)
                nearer = (depth < best) & (i >= 0) & (j >= 0)
                best[nearer] = depth[nearer]
                owner[nearer] = (i * _ROW + j + 1)[nearer]
        return owner

    def pixels(self, region: Region, channel: int = 0) -> npt.NDArray[np.uint16]:
        """Pixels (z = 1, y, x): channel 0 shows the nuclei, others a smooth field; noise in both."""
        rows, columns = self._grids(region)
        noise = uniform(self.seed + 17 * (channel + 1), rows, columns) * _NOISE
        if channel == 0:
            bright = 0.6 + 0.4 * uniform(self.seed + 5, self.truth(region))
            signal = _SIGNAL * bright * (self.truth(region) > 0)
        else:
            signal = _SIGNAL * (1 + np.sin(rows / 31 + channel) * np.cos(columns / 47)) / 2
        return (_BACKGROUND + signal + noise).astype(np.uint16)[np.newaxis]

    def image(self, shape: tuple[int, int], n_channels: int = 1) -> npt.NDArray[np.uint16]:
        """The whole image (c, z = 1, y, x)."""
        region = Region((0, 0, 0), (1, *shape))
        return np.stack([self.pixels(region, channel) for channel in range(n_channels)])

    def transcripts(
        self, shape: tuple[int, int], *, per_nucleus: int = 20, n_genes: int = 7
    ) -> dict[str, Int64]:
        """Columns y, x, gene, cell (the truth's id, 0 for none) of transcripts around all nuclei, in random order."""
        truth = self.truth(Region((0, 0, 0), (1, *shape)))
        squares = np.indices((shape[0] // self.pitch_px + 1, shape[1] // self.pitch_px + 1)).reshape(2, -1, 1)
        number = np.arange(per_nucleus)
        y = np.floor((squares[0] + uniform(self.seed + 31, squares[0], squares[1], number)) * self.pitch_px)
        x = np.floor((squares[1] + uniform(self.seed + 32, squares[0], squares[1], number)) * self.pitch_px)
        gene = np.floor(uniform(self.seed + 33, squares[0], squares[1], number) * n_genes)
        inside = (y < shape[0]) & (x < shape[1])
        columns = {
            name: values[inside].astype(np.int64) for name, values in (("y", y), ("x", x), ("gene", gene))
        }
        columns["cell"] = truth[columns["y"], columns["x"]]
        order = np.argsort(uniform(self.seed + 34, np.arange(columns["y"].size)))
        return {name: values[order] for name, values in columns.items()}

    def _grids(self, region: Region) -> tuple[Int64, Int64]:
        rows = np.arange(region.start[1], region.stop[1], dtype=np.int64)[:, np.newaxis]
        columns = np.arange(region.start[2], region.stop[2], dtype=np.int64)[np.newaxis]
        made = np.broadcast_arrays(rows, columns)
        return made[0].copy(), made[1].copy()

    def _depth(self, i: Int64, j: Int64, rows: Int64, columns: Int64) -> Float64:
        """0 at the centre of the nucleus of lattice square (i, j), 1 on its outline."""
        low, high = self.radius_px
        drawn = [uniform(self.seed + 101 + k, i, j) for k in range(5)]
        y = rows - (i + 0.3 + 0.4 * drawn[0]) * self.pitch_px
        x = columns - (j + 0.3 + 0.4 * drawn[1]) * self.pitch_px
        sine, cosine = np.sin(np.pi * drawn[2]), np.cos(np.pi * drawn[2])
        along, across = y * cosine + x * sine, x * cosine - y * sine
        made: Float64 = (along / (low + (high - low) * drawn[3])) ** 2 + (
            across / (low + (high - low) * drawn[4])
        ) ** 2
        return made
