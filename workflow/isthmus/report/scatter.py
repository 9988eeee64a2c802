"""The map of expression (UMAP): points as PNG, everything else on top as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from isthmus.report.pixels import png

WIDTH_PX = 900
ASPECT = (0.5, 1.1)
"""Height of the picture for each pixel of its width, at least and at most; both axes have one scale."""
MOST_POINTS = 200_000
_MARGIN = 0.04


@dataclass(frozen=True)
class Scatter:
    """A picture of points; labels are (text, x, y) in its pixels."""

    image: str
    width: int
    height: int
    labels: tuple[tuple[str, float, float], ...]
    n_shown: int
    n_all: int


def draw_scatter(
    points: npt.NDArray[np.float64], groups: pd.Series[str], colours: Mapping[str, str]
) -> Scatter:
    """Points x 2 coloured by their group, drawn in a shuffled but fixed order so that no group hides another."""
    order = np.random.default_rng(0).permutation(len(points))[:MOST_POINTS]
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 1e-9) * (1 + 2 * _MARGIN)
    height = round(WIDTH_PX * float(np.clip(extent[1] / extent[0], *ASPECT)))
    size = np.array([WIDTH_PX, height])
    places = (points - (low + high) / 2) * (size / extent).min() + size / 2
    places[:, 1] = height - places[:, 1]
    names = groups.astype(str).to_numpy()
    return Scatter(
        image=_points(places[order], [colours[name] for name in names[order]], height),
        width=WIDTH_PX,
        height=height,
        labels=tuple(_labels(places, names, colours)),
        n_shown=len(order),
        n_all=len(points),
    )


def _points(places: npt.NDArray[np.float64], colours: list[str], height: int) -> str:
    # Here, because tests and the rest of the page do without it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi = 100
    figure = Figure(figsize=(WIDTH_PX / dpi, height / dpi), dpi=dpi, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH_PX)
    axes.set_ylim(height, 0)
    area = float(np.clip(40_000 / max(1, len(places)), 0.8, 40))
    axes.scatter(places[:, 0], places[:, 1], s=area, c=colours, linewidths=0, alpha=0.85)
    canvas.draw()
    pixels: npt.NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())[..., :3]
    return png(np.ascontiguousarray(pixels))


def _labels(
    places: npt.NDArray[np.float64], names: npt.NDArray[np.object_], colours: Mapping[str, str]
) -> list[tuple[str, float, float]]:
    """Names at the median place of their points, largest first, none on top of another."""
    sizes = pd.Series(names).value_counts()
    ordered = sorted(sizes.index, key=lambda name: (-sizes[name], list(colours).index(name)))
    placed: list[tuple[str, float, float]] = []
    for name in ordered:
        x, y = (float(value) for value in np.median(places[names == name], axis=0))
        if all(abs(y - q) > 34 or abs(x - p) > 9 * (len(name) + len(other)) + 8 for other, p, q in placed):
            placed.append((name, round(x, 1), round(y, 1)))
    return placed
