"""Where to look: three full-resolution windows chosen by how crowded they are, the same in every run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple

WINDOW_UM = 80.0
WINDOW_PX = (256, 512)
QUANTILES = (("dense", 0.95), ("typical", 0.5), ("sparse", 0.05))


@dataclass(frozen=True)
class Window:
    """A part of the middle plane of an image.

    rank
        'dense', 'typical' or 'sparse', or 'whole' where the image is no larger than a window.
    """

    rank: str
    region: Region
    n_cells: int


def middle_plane(shape: Triple) -> int:
    """The plane shown of a volume (z, y, x)."""
    return shape[0] // 2


def choose_windows(shape: Triple, centres_px: npt.NDArray[np.float64], pixel_size_um: float) -> list[Window]:
    """Up to three windows that do not overlap, at fixed quantiles of the number of cells.

    Candidates lie on a lattice with half a window's spacing and hold at least one cell. In turn the one nearest the
    95th, the 50th and the 5th percentile of the candidates' numbers is taken; of equals, the first in row-major order.

    Parameters
    ----------
    shape
        Of the image (z, y, x).
    centres_px
        Cells x (column, row).
    pixel_size_um
        Size of a pixel.
    """
    edge = int(np.clip(round(WINDOW_UM / pixel_size_um), *WINDOW_PX))
    size = (min(edge, shape[1]), min(edge, shape[2]))
    rows, columns = _starts(shape[1], size[0]), _starts(shape[2], size[1])
    counts = _count(centres_px, rows, columns, size)
    z = middle_plane(shape)
    candidates = [
        Window("whole", Region((z, y, x), (z + 1, y + size[0], x + size[1])), int(counts[i, j]))
        for (i, y), (j, x) in product(enumerate(rows), enumerate(columns))
    ]
    if len(candidates) == 1:
        return candidates
    return _pick([window for window in candidates if window.n_cells] or candidates[:1])


def _pick(candidates: list[Window]) -> list[Window]:
    numbers = np.array([window.n_cells for window in candidates])
    chosen: list[Window] = []
    for rank, quantile in QUANTILES:
        wanted = float(np.quantile(numbers, quantile))
        free = [w for w in candidates if not any(w.region.intersection(c.region) for c in chosen)]
        if free:
            best = min(free, key=lambda window: abs(window.n_cells - wanted))
            chosen.append(Window(rank, best.region, best.n_cells))
    return chosen


def _starts(length: int, size: int) -> list[int]:
    """Starts of windows with half a window between them; the last reaches the edge."""
    step = max(1, size // 2)
    starts = list(range(0, length - size + 1, step))
    return starts if starts[-1] == length - size else [*starts, length - size]


def _count(
    centres_px: npt.NDArray[np.float64], rows: list[int], columns: list[int], size: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Cells in each window, (rows, columns); one pass over the cells, then sums over small bins."""
    ys = np.unique([*rows, *(y + size[0] for y in rows)])
    xs = np.unique([*columns, *(x + size[1] for x in columns)])
    if len(centres_px) == 0:
        return np.zeros((len(rows), len(columns)), np.int64)
    bins, _, _ = np.histogram2d(centres_px[:, 1], centres_px[:, 0], bins=(ys, xs))
    total = np.zeros((len(ys), len(xs)), np.int64)
    total[1:, 1:] = bins.astype(np.int64).cumsum(0).cumsum(1)
    y0, y1 = np.searchsorted(ys, rows), np.searchsorted(ys, np.add(rows, size[0]))
    x0, x1 = np.searchsorted(xs, columns), np.searchsorted(xs, np.add(columns, size[1]))
    corner = total[np.ix_(y1, x1)] - total[np.ix_(y0, x1)] - total[np.ix_(y1, x0)] + total[np.ix_(y0, x0)]
    found: npt.NDArray[np.int64] = corner
    return found
