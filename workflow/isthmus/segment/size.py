"""How large the nuclei of a sample are, from windows of its image: one number for the whole sample.

The windows lie on a lattice that is the image's own, not that of the blocks, so that the number, like a percentile of
the histogram, is the same however the image is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import pi, prod

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.config.presets import BasinsSettings
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.basins import BasinsMethod, derive_parameters
from isthmus.segment.forest import grow_forest

Spacing = tuple[float, float, float]

LEAST_UM = 4.0
MOST_UM = 24.0
"""Diameters that are told apart: from LEAST_UM to MOST_UM in steps of half a micrometre."""

MOST_WINDOWS = 16
_STEP_UM = 0.5
_ROUNDS = 2
_MIDDLE_OF_PLANE: Triple = (1, 1024, 1024)
_MIDDLE_OF_VOLUME: Triple = (32, 256, 256)
_SHARE = 0.8
"""The typical diameter as a share of that of the nucleus in which the middle pixel of all nuclei lies.

Such a nucleus is larger than most."""


def choose_windows(grid: Grid, brightness: NDArray[np.int64]) -> list[Region]:
    """Windows to look at: of the brighter half of the grid's parts as many as allowed, from all ranks alike.

    Parameters
    ----------
    grid
        Cuts the image into parts of a size that belongs to the image. Of each part its middle is taken.
    brightness
        Sum of the pixel values of each part, as a part of the image that holds nuclei is brighter than glass.
    """
    return [middle_of(grid.block(index).write) for index in choose_parts(brightness)]


def choose_parts(brightness: NDArray[np.int64]) -> list[int]:
    """Of the brighter half of the parts as many as allowed, from all ranks alike; ascending."""
    ranked = np.argsort(-brightness, kind="stable")[: (brightness.size + 1) // 2]
    n = min(MOST_WINDOWS, ranked.size)
    return sorted(int(ranked[k * ranked.size // n]) for k in range(n))


def middle_of(part: Region) -> Region:
    """The middle of a part of an image, which is what is looked at."""
    middle = _MIDDLE_OF_PLANE if part.shape[0] == 1 else _MIDDLE_OF_VOLUME
    sizes = [min(most, size) for most, size in zip(middle, part.shape, strict=True)]
    start = [a + (size - kept) // 2 for a, size, kept in zip(part.start, part.shape, sizes, strict=True)]
    z, y, x = start
    return Region((z, y, x), (z + sizes[0], y + sizes[1], x + sizes[2]))


def measure_diameter(
    windows: Sequence[NDArray[np.uint16]],
    settings: BasinsSettings,
    *,
    spacing_um: Spacing,
    survey: ChannelSurvey,
) -> float:
    """Typical diameter of the nuclei in um, from LEAST_UM to MOST_UM.

    Nuclei are found with the diameter that the settings name, and twice more with what came out. Where there are none
    the diameter stays.

    Parameters
    ----------
    windows
        Pixels (z, y, x) of parts of the image.
    settings
        Options of `basins`.
    spacing_um
        Pixel spacing (z, y, x).
    survey
        Global statistics of the channel.
    """
    diameter = settings.nucleus_diameter_um
    for _ in range(_ROUNDS):
        tried = replace(settings, nucleus_diameter_um=diameter)
        parameters = derive_parameters(tried, pixel_size_um=spacing_um, survey=survey)
        method = BasinsMethod(channel=0, parameters=parameters)
        sizes = np.concatenate([_sizes(method, window) for window in windows])
        if not sizes.size:
            break
        diameter = _typical_um(sizes, spacing_um, is_volume=any(window.shape[0] > 1 for window in windows))
    return diameter


def _sizes(method: BasinsMethod, window: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Pixels of each nucleus of a window taken for a whole image."""
    z, y, x = window.shape
    whole = Region((0, 0, 0), (z, y, x))
    labels, _, _ = grow_forest(
        method.landscape(window),
        read=whole,
        write=whole,
        image_shape=whole.shape,
        merge_radius_px=method.merge_radius_px,
    )
    sizes = np.bincount(labels.reshape(-1))[1:]
    return sizes[sizes > 0].astype(np.int64)


def _typical_um(sizes: NDArray[np.int64], spacing_um: Spacing, *, is_volume: bool) -> float:
    """The diameter, on the scale of steps, of a disc or ball as large as the nucleus in which the middle pixel lies.

    Found by comparing, not by roots: they are not the same on all machines.
    """
    ordered = np.sort(sizes)
    middle = int(ordered[np.searchsorted(np.cumsum(ordered), (int(ordered.sum()) + 1) // 2)])
    size = middle * prod(spacing_um if is_volume else spacing_um[1:])
    steps = sum(size >= _size_of((d + _STEP_UM / 2) / _SHARE, is_volume=is_volume) for d in _scale())
    return min(MOST_UM, LEAST_UM + steps * _STEP_UM)


def _scale() -> Iterable[float]:
    return (LEAST_UM + n * _STEP_UM for n in range(round((MOST_UM - LEAST_UM) / _STEP_UM)))


def _size_of(diameter: float, *, is_volume: bool) -> float:
    """Area of a disc or volume of a ball."""
    return pi * diameter * diameter * diameter / 6 if is_volume else pi * diameter * diameter / 4
