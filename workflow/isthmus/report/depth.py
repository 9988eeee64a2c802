"""Pictures of a volume along all its axes: the brightest voxel of every column, and two slices through the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.image.ome_zarr import Level
from isthmus.image.pyramid import level_factors, level_shape
from isthmus.report import pixels
from isthmus.report.colours import CELL, CHANNEL_COLOURS, NUCLEUS
from isthmus.report.gather import SampleResults
from isthmus.report.pictures import Bar, Picture
from isthmus.report.text import length, nice_length

PLANES_AT_ONCE = 16
PROJECTED = (5, 99.9)
"""Percentiles of a projection that become black and full brightness."""
Array = npt.NDArray[Any]
Range = tuple[float, float]


@dataclass(frozen=True)
class DepthPictures:
    """The projection along z, and slices with their outlines: rows of `xz` are planes, as are those of `yz`."""

    projection: Picture
    xz: Picture
    yz: Picture


def draw_depth(sample: SampleResults, channels: Sequence[int], max_px: int) -> DepthPictures | None:
    """Draw a volume at a coarse level; None for planes. Voxels are stretched to their true proportions."""
    shape = sample.plan.window.shape
    if shape[0] == 1 or sample.n_levels == 0:
        return None
    level = pixels.level_for(sample, max_px)
    size = level_shape(shape, level_factors(shape)[level])
    middle = (size[1] // 2, size[2] // 2)
    return DepthPictures(
        projection=_projection(sample, channels, level, size),
        xz=_slice(sample, channels, level, Region((0, middle[0], 0), (size[0], middle[0] + 1, size[2])), "x"),
        yz=_slice(sample, channels, level, Region((0, 0, middle[1]), (size[0], size[1], middle[1] + 1)), "y"),
    )


def project(sample: SampleResults, channel: int, level: int, size: Triple) -> Array:
    """Largest value along z of a channel at a level (y, x); some planes are in memory at a time."""
    source = Level.open(sample.paths.image / str(level), is_volume=True, has_channels=True)
    most = np.zeros(size[1:], dtype=np.uint16)
    for z in range(0, size[0], PLANES_AT_ONCE):
        part = Region((z, 0, 0), (min(z + PLANES_AT_ONCE, size[0]), size[1], size[2]))
        most = np.maximum(most, source.read(part, channel).max(axis=0))
    return most


def _projection(sample: SampleResults, channels: Sequence[int], level: int, size: Triple) -> Picture:
    planes = [project(sample, channel, level, size) for channel in channels]
    empty = np.zeros(size[1:], dtype=np.uint8)
    # The brightest of many planes are brighter than a plane: the projection has a range of its own.
    ranges = [_range(plane) for plane in planes]
    return _picture(sample, channels, planes, empty, empty, level, title="Projection along z", ranges=ranges)


def _range(plane: Array) -> Range:
    low, high = (float(value) for value in np.percentile(plane, PROJECTED))
    return low, max(high, low + 1)


def _slice(
    sample: SampleResults, channels: Sequence[int], level: int, region: Region, across: str
) -> Picture:
    """A slice along z (planes as rows), stretched so that its pixels are as high as they are wide."""
    flat = 1 if across == "x" else 2
    image = Level.open(sample.paths.image / str(level), is_volume=True, has_channels=True)
    planes = [image.read(region, channel).squeeze(axis=flat) for channel in channels]
    rows = _rows(sample, level, planes[0].shape[0], along=3 - flat)
    nuclei, cells = (
        pixels.edges_of(_labels(sample, name, level, region, flat)[rows]).astype(np.uint8)
        for name in ("nuclei", "cells")
    )
    title = f"Slice along {across} and z, through the middle"
    return _picture(sample, channels, [plane[rows] for plane in planes], nuclei, cells, level, title=title)


def _labels(sample: SampleResults, name: str, level: int, region: Region, flat: int) -> Array:
    labels = Level.open(sample.paths.labels / name / str(level), is_volume=True, has_channels=False)
    return labels.read(region).squeeze(axis=flat)


def _rows(sample: SampleResults, level: int, n_planes: int, *, along: int) -> npt.NDArray[np.int64]:
    """Which plane each row of a slice shows whose columns lie along an axis (1: y, 2: x)."""
    spacing_um = sample.plan.spacing_um
    stretch = spacing_um[0] / (spacing_um[along] * level_factors(sample.plan.window.shape)[level][along])
    n_rows = max(1, round(n_planes * stretch))
    return np.minimum((np.arange(n_rows) * n_planes) // n_rows, n_planes - 1)


def _picture(
    sample: SampleResults,
    channels: Sequence[int],
    planes: Sequence[Array],
    nuclei: Array,
    cells: Array,
    level: int,
    *,
    title: str,
    ranges: Sequence[Range] | None = None,
) -> Picture:
    height, width = planes[0].shape
    um_per_px = sample.plan.spacing_um[2] * level_factors(sample.plan.window.shape)[level][2]
    um = nice_length(0.3 * width * um_per_px)
    return Picture(
        width=width,
        height=height,
        image=pixels.picture(
            composite(planes, ranges or [pixels.display_range(sample, channel) for channel in channels])
        ),
        nuclei=pixels.painted(nuclei, [NUCLEUS]),
        cells=pixels.painted(cells, [CELL]),
        is_vector=False,
        bar=Bar(um / um_per_px, length(um)),
        title=title,
        place="",
    )


def composite(planes: Sequence[Array], ranges: Sequence[Range]) -> pixels.UInt8:
    """Planes (y, x) of channels in one picture: grey for one channel, (y, x, 3) for more; each from black to bright."""
    toned = [pixels.tone_mapped(plane, *range_) for plane, range_ in zip(planes, ranges, strict=True)]
    if len(toned) == 1:
        return np.round(toned[0] * 255).astype(np.uint8)
    total = np.zeros((*toned[0].shape, 3))
    for plane, colour in zip(toned, CHANNEL_COLOURS, strict=False):
        total += plane[..., None] * np.array(colour)
    return np.round(np.clip(total, 0, 255)).astype(np.uint8)
