"""Pictures of one sample: overview with outlines, windows at full resolution, and the map of types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
import pandas as pd

from isthmus.blocks.grid import Region
from isthmus.image.pyramid import level_factors
from isthmus.report import pixels
from isthmus.report.colours import CELL, FAILED_COLOUR, NUCLEUS
from isthmus.report.gather import SampleResults
from isthmus.report.text import length, nice_length
from isthmus.report.windows import Window, choose_windows, middle_plane

SMALLEST_OUTLINED_PX = 6.0
"""Cells smaller than this across are painted whole at the overview: outlines would cover everything."""
LARGEST_PALETTE = 250


@dataclass(frozen=True)
class Bar:
    """A scale bar in the picture's pixels."""

    px: float
    label: str


@dataclass(frozen=True)
class Picture:
    """An image with layers on top, all in its own pixels.

    nuclei, cells
        Outlines: an SVG path where `is_vector`, else a PNG as data address.
    boxes
        (letter, x, y, width, height) of windows marked in the picture.
    is_pale
        The layers are whole instances, to be drawn see-through.
    """

    width: int
    height: int
    image: str
    nuclei: str
    cells: str
    is_vector: bool
    bar: Bar
    title: str
    place: str
    boxes: tuple[tuple[str, float, float, float, float], ...] = ()
    is_pale: bool = False

    @property
    def font(self) -> float:
        """Height of letters in the picture's pixels, so that all pictures of a width look alike."""
        return round(self.width / (26 if self.is_vector else 58), 1)


@dataclass(frozen=True)
class SamplePictures:
    """All pictures of a sample; `outlined` is False where cells are too small to have outlines at the overview.

    Of a sample of many images, `image` says which one is shown, and `beside` has overviews of others.
    """

    overview: Picture
    windows: tuple[Picture, ...]
    level: int
    outlined: bool
    channels: tuple[str, ...]
    plane: int | None
    image: str = ""
    beside: tuple[Picture, ...] = ()


def draw_sample(sample: SampleResults, *, nuclei_channel: int, max_px: int) -> SamplePictures | None:
    """Read and draw; None where image or labels are missing. Only coarse levels and windows are read."""
    if sample.n_levels == 0:
        return None
    channels = pixels.shown_channels(sample, nuclei_channel)
    found = _windows(sample)
    level = pixels.level_for(sample, max_px)
    outlined = _cell_px(sample, level) >= SMALLEST_OUTLINED_PX
    shape = sample.plan.window.shape
    return SamplePictures(
        overview=_overview(sample, channels, level, found, outlined=outlined),
        windows=tuple(_window(sample, channels, w, letter) for w, letter in zip(found, "ABC", strict=False)),
        level=level,
        outlined=outlined,
        channels=tuple(sample.plan.channels[c] for c in channels),
        plane=middle_plane(shape) if shape[0] > 1 else None,
    )


def draw_overview(sample: SampleResults, *, nuclei_channel: int, max_px: int) -> Picture:
    """The overview alone, without windows."""
    level = pixels.level_for(sample, max_px)
    outlined = _cell_px(sample, level) >= SMALLEST_OUTLINED_PX
    return _overview(sample, pixels.shown_channels(sample, nuclei_channel), level, [], outlined=outlined)


def draw_map(
    sample: SampleResults, colour_of_cell: pd.Series[int], colours: Sequence[str], *, max_px: int
) -> Picture:
    """Every cell painted with the colour of its type.

    Parameters
    ----------
    colour_of_cell
        Index: instance_id; values: position in `colours`. Cells that are not in it (they failed quality control)
        are painted pale.
    colours
        At most 250.
    """
    level = pixels.level_for(sample, max_px)
    region = pixels.coarse_region(sample, level)
    labels = pixels.read_labels(sample, "cells", level, region).astype(np.int64)
    # Through those that are there: imported ids may be of any size.
    there, place = np.unique(labels, return_inverse=True)
    table = np.where(there == 0, 0, 1).astype(np.uint8)  # 1 is pale: failed
    ids = colour_of_cell.index.to_numpy(dtype=np.int64)
    here = np.isin(ids, there)
    table[np.searchsorted(there, ids[here])] = 2 + colour_of_cell.to_numpy()[here] % LARGEST_PALETTE
    painted = table[place.reshape(labels.shape)]
    if _cell_px(sample, level) >= SMALLEST_OUTLINED_PX:
        painted[1:][labels[1:] != labels[:-1]] = 0
        painted[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
    height, width = painted.shape
    return Picture(
        width=width,
        height=height,
        image=pixels.painted(painted, [FAILED_COLOUR, *colours]),
        nuclei="",
        cells="",
        is_vector=False,
        bar=_bar(sample, level, width),
        title=f"Map of {sample.name}",
        place="",
    )


def centres_px(sample: SampleResults) -> npt.NDArray[np.float64]:
    """Cells x (column, row) in pixels of the image in use."""
    if sample.cells is None:
        return np.empty((0, 2))
    spatial = sample.cells.spatial_um
    return np.column_stack(sample.plan.window_affine.to_px(spatial[:, 0], spatial[:, 1]))


def _windows(sample: SampleResults) -> list[Window]:
    size = float(np.mean(sample.plan.spacing_um[1:]))
    return choose_windows(sample.plan.window.shape, centres_px(sample), size)


def _overview(
    sample: SampleResults, channels: list[int], level: int, windows: Sequence[Window], *, outlined: bool
) -> Picture:
    region = pixels.coarse_region(sample, level)
    factor = level_factors(sample.plan.window.shape)[level]
    height, width = region.shape[1:]
    layers = []
    for name, colour in (("nuclei", NUCLEUS), ("cells", CELL)):
        labels = pixels.read_labels(sample, name, level, region)
        mask = pixels.edges_of(labels) if outlined else labels != 0
        layers.append(pixels.painted(mask.astype(np.uint8), [colour]))
    boxes = tuple(
        (
            letter,
            w.region.start[2] / factor[2],
            w.region.start[1] / factor[1],
            w.region.shape[2] / factor[2],
            w.region.shape[1] / factor[1],
        )
        for letter, w in zip("ABC", windows, strict=False)
        if w.rank != "whole"
    )
    return Picture(
        width=width,
        height=height,
        image=pixels.picture(pixels.read_picture(sample, channels, level, region)),
        nuclei=layers[0],
        cells=layers[1],
        is_vector=False,
        bar=_bar(sample, level, width),
        title=f"Overview of {sample.name}",
        place=_place(sample, Region((0, 0, 0), sample.plan.window.shape)),
        boxes=boxes,
        is_pale=not outlined,
    )


def _window(sample: SampleResults, channels: list[int], window: Window, letter: str) -> Picture:
    labels = {name: pixels.read_labels(sample, name, 0, window.region) for name in ("nuclei", "cells")}
    return Picture(
        width=window.region.shape[2],
        height=window.region.shape[1],
        image=pixels.picture(pixels.read_picture(sample, channels, 0, window.region)),
        nuclei=pixels.outline_path(labels["nuclei"]),
        cells=pixels.outline_path(labels["cells"]),
        is_vector=True,
        bar=_bar(sample, 0, window.region.shape[2]),
        title=f"{letter}: {window.rank}, {window.n_cells} cells",
        place=_place(sample, window.region),
    )


def _bar(sample: SampleResults, level: int, width: int) -> Bar:
    um_per_px = sample.plan.spacing_um[2] * level_factors(sample.plan.window.shape)[level][2]
    um = nice_length(0.3 * width * um_per_px)
    return Bar(um / um_per_px, length(um))


def _place(sample: SampleResults, region: Region) -> str:
    """Where a region lies, in the sample's micrometres."""
    corners = np.array(
        [(r, c) for r in (region.start[1], region.stop[1]) for c in (region.start[2], region.stop[2])]
    )
    x, y = sample.plan.window_affine.to_um(corners[:, 1].astype(float), corners[:, 0].astype(float))
    return f"x {x.min():,.1f} to {x.max():,.1f} µm, y {y.min():,.1f} to {y.max():,.1f} µm"


def _cell_px(sample: SampleResults, level: int) -> float:
    """Diameter of the median cell in pixels of a level; large where there are no cells."""
    if sample.cells is None or len(sample.cells.obs) == 0:
        return SMALLEST_OUTLINED_PX
    obs = sample.cells.obs
    if "area_um2" in obs:
        diameter = 2 * sqrt(float(obs["area_um2"].median()) / np.pi)
    else:
        diameter = 2 * (0.75 / np.pi * float(obs["volume_um3"].median())) ** (1 / 3)
    return diameter / (sample.plan.spacing_um[2] * level_factors(sample.plan.window.shape)[level][2])
