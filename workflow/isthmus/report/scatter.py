"""The map of expression (UMAP): points as PNG, everything else on top as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from isthmus.report.pixels import png

SIDE_PX = 900
MOST_POINTS = 200_000
_MARGIN = 0.04


@dataclass(frozen=True)
class Scatter:
    """A square picture of points; labels are (text, x, y) in its pixels."""

    image: str
    side: int
    labels: tuple[tuple[str, float, float], ...]
    n_shown: int
    n_all: int


def draw_scatter(
    points: npt.NDArray[np.float64], groups: pd.Series[str], colours: Mapping[str, str]
) -> Scatter:
    """Points x 2 coloured by their group, drawn in a shuffled but fixed order so that no group hides another."""
    order = np.random.default_rng(0).permutation(len(points))[:MOST_POINTS]
    low, high = points.min(axis=0), points.max(axis=0)
    extent = max(float((high - low).max()), 1e-9) * (1 + 2 * _MARGIN)
    share = (points - (low + high) / 2) / extent + 0.5
    names = groups.astype(str).to_numpy()
    return Scatter(
        image=_points(share[order], [colours[name] for name in names[order]]),
        side=SIDE_PX,
        labels=tuple(_labels(share, names, colours)),
        n_shown=len(order),
        n_all=len(points),
    )


def _points(share: npt.NDArray[np.float64], colours: list[str]) -> str:
    # Here, because tests and the rest of the page do without it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi = 100
    figure = Figure(figsize=(SIDE_PX / dpi, SIDE_PX / dpi), dpi=dpi, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    area = float(np.clip(40_000 / max(1, len(share)), 0.8, 40))
    axes.scatter(share[:, 0], share[:, 1], s=area, c=colours, linewidths=0, alpha=0.85)
    canvas.draw()
    pixels: npt.NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())[..., :3]
    return png(np.ascontiguousarray(pixels))


def _labels(
    share: npt.NDArray[np.float64], names: npt.NDArray[np.object_], colours: Mapping[str, str]
) -> list[tuple[str, float, float]]:
    """Names at the median place of their points, largest first, none on top of another."""
    sizes = pd.Series(names).value_counts()
    ordered = sorted(sizes.index, key=lambda name: (-sizes[name], list(colours).index(name)))
    placed: list[tuple[str, float, float]] = []
    for name in ordered:
        middle = np.median(share[names == name], axis=0)
        x, y = float(middle[0]) * SIDE_PX, (1 - float(middle[1])) * SIDE_PX
        if all(abs(y - q) > 34 or abs(x - p) > 9 * (len(name) + len(other)) + 8 for other, p, q in placed):
            placed.append((name, round(x, 1), round(y, 1)))
    return placed
