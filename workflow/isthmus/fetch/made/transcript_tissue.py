"""A generated tissue for imaging transcriptomics: cells of known outlines and types, their molecules, and an image.

Cells are ellipses of a jittered lattice that do not overlap; a nucleus is its cell made smaller. Three types share
housekeeping genes and have markers of their own. A few molecules land in another cell (`LEAK`), some lie outside cells,
and negative controls are strewn evenly. All is drawn in pixels, rows downwards, pixel i covering [i, i + 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus.fetch.made.drawing import Float64, blur, normal, smooth_field, uniform

Int64 = npt.NDArray[np.int64]

TYPES = ("epithelium", "stroma", "immune")
MARKERS = {
    "epithelium": ("EPCAM", "KRT8", "KRT18", "CDH1"),
    "stroma": ("COL1A1", "COL3A1", "DCN", "LUM"),
    "immune": ("PTPRC", "CD3E", "CD8A", "MS4A1"),
}
SHARED = ("ACTB", "GAPDH", "EEF1A1", "RPLP0", "B2M", "TMSB4X")
CONTROLS = tuple(f"Blank-{number}" for number in range(1, 11))
GENES = (*(gene for genes in MARKERS.values() for gene in genes), *SHARED)
PER_CELL = 70
LEAK, OUTSIDE, NOISE = 0.02, 0.08, 0.01
NUCLEUS = 0.62
"""Axes of a nucleus as a share of its cell's."""
VERTICES = 32
OUTLINE_PX = 20
"""Edge of the squares in which the island is outlined."""


@dataclass(frozen=True)
class Tissue:
    """Cells of an image of `shape`, numbered from 1.

    centre
        Cells x (column, row).
    axes, turn
        Half axes in pixels (cells x 2), and cosine and sine of the first (cells x 2).
    kind
        Position in TYPES.
    island
        Outlines (rings x 2: column, row) of the epithelial island; what an odd number of them surrounds is inside.
    """

    seed: int
    shape: tuple[int, int]
    centre: Float64
    axes: Float64
    turn: Float64
    kind: Int64
    island: tuple[Float64, ...]

    def outlines(self, share: float = 1.0) -> Float64:
        """Vertices of each cell (cells x vertices x (column, row)); a share of the axes gives the nuclei."""
        circle = unit_circle(VERTICES) * share
        along, across = circle[:, 0] * self.axes[:, :1], circle[:, 1] * self.axes[:, 1:]
        cosine, sine = self.turn[:, :1], self.turn[:, 1:]
        made = np.stack([along * cosine - across * sine, along * sine + across * cosine], axis=2)
        return made + self.centre[:, np.newaxis]

    def labels(self, share: float = 1.0) -> Int64:
        """Label image: a pixel belongs to the cell whose ellipse holds its centre."""
        made = np.zeros(self.shape, dtype=np.int64)
        for number, (x, y) in enumerate(self.centre.tolist()):
            reach = int(self.axes[number].max()) + 2
            top, left = max(0, int(y) - reach), max(0, int(x) - reach)
            rows, columns = np.mgrid[top : int(y) + reach, left : int(x) + reach]
            inside = self._depth(number, columns + 0.5, rows + 0.5) < share * share
            window = made[top : int(y) + reach, left : int(x) + reach]
            window[inside[: window.shape[0], : window.shape[1]]] = number + 1
        return made

    def _depth(self, number: int, column: Float64, row: Float64) -> Float64:
        x, y = column - self.centre[number, 0], row - self.centre[number, 1]
        cosine, sine = self.turn[number]
        along, across = (
            (x * cosine + y * sine) / self.axes[number, 0],
            (y * cosine - x * sine) / self.axes[number, 1],
        )
        depth: Float64 = along * along + across * across
        return depth

    def stain(
        self, share: float, seed: int, level: float, background: float, fade: float = 1.0
    ) -> npt.NDArray[np.uint16]:
        """An image of the nuclei or the cells, with levels of their own, grain, blur and noise."""
        labels = self.labels(share)
        of_cell = np.concatenate([[0.0], level * (0.7 + 0.6 * uniform(seed, np.arange(self.kind.size)))])
        light = of_cell[labels] * (0.8 + 0.4 * smooth_field(seed + 1, self.shape, 9)) * fade
        light = blur(light, times=2) + background * (0.8 + 0.4 * smooth_field(seed + 2, self.shape, 256))
        light += normal(seed + 3, *np.ogrid[: self.shape[0], : self.shape[1]]) * np.sqrt(4 * light + 50.0)
        made: npt.NDArray[np.uint16] = np.clip(np.floor(light + 0.5), 0, 65535).astype(np.uint16)
        return made


@dataclass(frozen=True)
class Molecules:
    """Molecules: cell that made it (0 for none), where it lies, and its gene.

    inside is the cell in which it lies; it differs from `cell` for those that leaked.
    """

    cell: Int64
    inside: Int64
    column: Float64
    row: Float64
    gene: list[str]


def draw_tissue(seed: int, shape: tuple[int, int], pitch_px: int) -> Tissue:
    """Cells on a lattice of that pitch; an epithelial island on the left, immune cells strewn among stroma."""
    rows, columns = (n // pitch_px for n in shape)
    i, j = (at.reshape(-1) for at in np.mgrid[:rows, :columns])
    kept = uniform(seed, i, j) < 0.85
    i, j = i[kept], j[kept]
    draw = [uniform(seed + 1 + k, i, j) for k in range(7)]
    centre = np.column_stack([(j + 0.47 + 0.06 * draw[0]) * pitch_px, (i + 0.47 + 0.06 * draw[1]) * pitch_px])
    axes = np.column_stack([(0.36 + 0.07 * draw[2]) * pitch_px, (0.30 + 0.07 * draw[3]) * pitch_px])
    half = 2 * draw[4] - 1
    turn = np.column_stack([(1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)])
    field = smooth_field(seed + 20, shape, shape[0] // 3)
    island = field[centre[:, 1].astype(int), centre[:, 0].astype(int)] > 0.5
    kind = np.where(island, 0, np.where(draw[5] < 0.6, 1, 2))
    return Tissue(seed, shape, centre, axes, turn, np.where(draw[6] < 0.05, 2, kind), _outlines(field))


def _outlines(field: Float64) -> tuple[Float64, ...]:
    """Rings around where a field is above a half, to the hundredth of a pixel; the edge of the image is outside."""
    from skimage.measure import find_contours

    coarse = np.pad(field[OUTLINE_PX // 2 :: OUTLINE_PX, OUTLINE_PX // 2 :: OUTLINE_PX], 1)
    rings = find_contours(coarse, 0.5)
    # A value stands for the middle of its square, and there is a border of one square.
    return tuple(np.round((ring[:, ::-1] - 0.5) * OUTLINE_PX, 2) for ring in rings)


def draw_molecules(tissue: Tissue) -> Molecules:
    """Molecules of all cells, in the order of the cells, then those outside and the controls."""
    seed, n_cells = tissue.seed + 100, tissue.kind.size
    counts = np.floor(PER_CELL * (0.6 + 0.8 * uniform(seed, np.arange(n_cells)))).astype(np.int64)
    cell = np.repeat(np.arange(1, n_cells + 1), counts)
    number = np.arange(cell.size)
    names = [
        _gene(TYPES[tissue.kind[at - 1]], a, b)
        for at, a, b in zip(
            cell.tolist(), uniform(seed + 1, number).tolist(), uniform(seed + 2, number).tolist(), strict=True
        )
    ]
    leaks = uniform(seed + 3, number) < LEAK
    other = 1 + np.floor(uniform(seed + 4, number) * n_cells).astype(np.int64)
    inside = np.where(leaks, other, cell)
    column, row = _within(tissue, inside, seed + 5)
    strewn = _strewn(tissue, seed + 10, round(OUTSIDE * cell.size), round(NOISE * cell.size))
    zeros = np.zeros(strewn[0].size, dtype=np.int64)
    return Molecules(
        np.concatenate([cell, zeros]),
        np.concatenate([inside, strewn[2]]),
        np.concatenate([column, strewn[0]]),
        np.concatenate([row, strewn[1]]),
        names + strewn[3],
    )


def _gene(kind: str, a: float, b: float) -> str:
    of = MARKERS[kind] if a < 0.55 else SHARED
    return of[min(int(b * len(of)), len(of) - 1)]


def _within(tissue: Tissue, cell: Int64, seed: int) -> tuple[Float64, Float64]:
    """A place in each of these cells, away from its border: even in the square inside its ellipse."""
    number, at = np.arange(cell.size), cell - 1
    along = (2 * uniform(seed, number) - 1) * 0.66 * tissue.axes[at, 0]
    across = (2 * uniform(seed + 1, number) - 1) * 0.66 * tissue.axes[at, 1]
    cosine, sine = tissue.turn[at, 0], tissue.turn[at, 1]
    x = tissue.centre[at, 0] + along * cosine - across * sine
    y = tissue.centre[at, 1] + along * sine + across * cosine
    return x, y


def _strewn(
    tissue: Tissue, seed: int, n_genes: int, n_controls: int
) -> tuple[Float64, Float64, Int64, list[str]]:
    """Molecules strewn evenly: genes between cells, controls everywhere."""
    labels = tissue.labels()
    number = np.arange(8 * n_genes)
    column, row = uniform(seed, number) * tissue.shape[1], uniform(seed + 1, number) * tissue.shape[0]
    between = np.flatnonzero(labels[row.astype(int), column.astype(int)] == 0)[:n_genes]
    kept = np.concatenate([between, np.arange(n_controls)])
    drawn = uniform(seed + 2, np.arange(kept.size)).tolist()
    names = [
        GENES[int(a * len(GENES))] if k < between.size else CONTROLS[int(a * len(CONTROLS))]
        for k, a in enumerate(drawn)
    ]
    return column[kept], row[kept], labels[row[kept].astype(int), column[kept].astype(int)], names


def unit_circle(n: int) -> Float64:
    """N points (a multiple of 4) on the unit circle, from tangents of half angles: no sine is needed."""
    t = np.arange(n // 4) / (n // 4)
    quarter = np.column_stack([(1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)])
    turned = [quarter]
    for _ in range(3):
        turned.append(np.column_stack([-turned[-1][:, 1], turned[-1][:, 0]]))
    return np.concatenate(turned)
