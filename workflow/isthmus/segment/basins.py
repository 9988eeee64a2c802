"""The segmentation method `basins`: pixels of a nuclear stain to a landscape whose basins are the nuclei.

Settings are in micrometres. `derive_parameters` turns them, with the pixel spacing and the survey of the
channel, into whole numbers once a sample; `landscape` uses nothing else, so blocks are independent. Each
operator has a declared support; `halo_px` adds them up. docs/segmentation.md says why each step is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.config.segmentation import BasinsOptions
from isthmus.segment.filters import box_mean, gaussian_blur, gaussian_weights
from isthmus.segment.kernel import kernel
from isthmus.segment.shapes import clipped_distance, cone_offsets, enclosed_pixels, raise_cones
from isthmus.segment.tone import Survey, tone_table, two_classes

RESULT_VERSION = 1
"""To be raised whenever a landscape changes for equal parameters and pixels."""

Triple = tuple[int, int, int]
Weights = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

_SHARE = 1024
_TOP = 60000
_STEP = 16


@dataclass(frozen=True)
class BasinsSettings:
    """What a user may choose; the defaults are one preset for nuclei of about 4 to 25 um.

    nucleus_diameter_um
        Typical diameter. All windows and radii are fixed fractions of it.
    sensitivity
        0 to 1; how faint a nucleus may be. 0: as bright as the typical nucleus, 1: as dark as the background.
    local_contrast
        0 to 1; how bright a pixel must be in its surroundings. 0: they do not matter, 1: brighter than their
        mean. More parts crowded nuclei better and makes nuclei smaller.
    smoothing_um
        Detail below this is taken for noise or texture.
    roundness
        0 to 1; two parts are one nucleus if the centre of the thinner lies within this share of the other's
        radius. More splits less.
    """

    nucleus_diameter_um: float = 8.0
    sensitivity: float = 0.6
    local_contrast: float = 0.95
    smoothing_um: float = 0.5
    roundness: float = 0.8


@dataclass(frozen=True)
class BasinsParameters:
    """The method in whole numbers; lengths in pixels (z, y, x), shares in 1/1024, tones of `tone_table`."""

    background: int
    unit: int
    tone_background: int
    tone_floor: int
    local_share: int
    hole_share: int
    smoothing: Weights
    windows_px: tuple[Triple, ...]
    outline: Weights
    hole_px: int
    step: Triple
    distance_limit: int
    distance_smoothing: Weights
    cone_share: int
    cone_slope: int
    merge_px: Triple


def derive_parameters(
    settings: BasinsSettings, *, pixel_size_um: tuple[float, float, float], survey: Survey
) -> BasinsParameters:
    """Turn settings in micrometres into whole numbers, for one channel of one sample."""
    diameter = settings.nucleus_diameter_um
    background, unit, tone_background, tone_floor = _levels(survey, settings.sensitivity)
    finest = min(pixel_size_um)
    in_plane = pixel_size_um[2]
    limit = max(2 * _STEP, round(_STEP * (1.5 * diameter / finest) ** 2))
    z, y, x = (round(_STEP * (size / finest) ** 2) for size in pixel_size_um)
    step = (z, y, x)
    return BasinsParameters(
        background=background,
        unit=unit,
        tone_background=tone_background,
        tone_floor=tone_floor,
        local_share=round(_SHARE * settings.local_contrast),
        hole_share=round(_SHARE * 0.8 * settings.local_contrast),
        smoothing=_gaussian(settings.smoothing_um, pixel_size_um),
        windows_px=tuple(_pixels(share * diameter, pixel_size_um) for share in (0.25, 0.5, 1.0)),
        outline=_gaussian(0.05 * diameter, pixel_size_um),
        hole_px=max(1, round(0.75 * diameter / in_plane)),
        step=step,
        distance_limit=limit,
        distance_smoothing=_gaussian(0.0625 * diameter, pixel_size_um),
        cone_share=round(_SHARE * settings.roundness**2),
        cone_slope=max(1, _TOP // (200 * max(1, isqrt(limit // step[2])))),
        merge_px=_pixels(0.225 * diameter, pixel_size_um),
    )


def _gaussian(sigma_um: float, pixel_size_um: tuple[float, float, float]) -> Weights:
    z, y, x = pixel_size_um
    return gaussian_weights(sigma_um / z), gaussian_weights(sigma_um / y), gaussian_weights(sigma_um / x)


def _pixels(length_um: float, pixel_size_um: tuple[float, float, float]) -> Triple:
    z, y, x = pixel_size_um
    return round(length_um / z), max(1, round(length_um / y)), max(1, round(length_um / x))


def _levels(survey: Survey, sensitivity: float) -> tuple[int, int, int, int]:
    """Background, contrast unit, and the tones of the background and of the faintest nucleus."""
    histogram = np.asarray(survey.histogram)
    values = np.flatnonzero(histogram)
    counts = histogram[values].tolist()
    background = survey.percentile(1)
    classes = two_classes(values.tolist(), counts)
    unit = max(1, round(0.4 * (classes[1] - classes[0]))) if classes else 1
    tones = two_classes(tone_table(background, unit)[values].tolist(), counts)
    dark, bright = tones if tones else (65535, 65535)
    return background, unit, dark, dark + round((1 - sensitivity) * (bright - dark))


def supports_px(parameters: BasinsParameters) -> dict[str, Triple]:
    """How far each operator looks along z, y, x, in the order in which they follow each other."""
    p = parameters
    windows = tuple(max(window[axis] for window in p.windows_px) for axis in range(3))
    cones = ((p.distance_limit * p.cone_share) >> 10, p.step)
    return {
        "contrast": _triple(max(s, w) for s, w in zip(_reach(p.smoothing), windows, strict=True)),
        "outline": _reach(p.outline),
        "holes": (0, p.hole_px, p.hole_px),
        "distance": _triple(isqrt((p.distance_limit - 1) // step) for step in p.step),
        "distance smoothing": _reach(p.distance_smoothing),
        "cones": _triple(1 + isqrt(cones[0] // step) for step in cones[1]),
    }


def landscape_halo_px(parameters: BasinsParameters) -> Triple:
    """Border (z, y, x) that a block needs for the landscape of its write region: the sum of all supports."""
    return _triple(sum(support) for support in zip(*supports_px(parameters).values(), strict=True))


def halo_px(parameters: BasinsParameters) -> Triple:
    """Border (z, y, x) that a block needs for the pointers of its write region: landscape, climbing, merging.

    Pixels beyond the write region that pointers may reach need the right landscape too: one pixel to climb,
    or the merge distance if that is more.
    """
    z, y, x = (
        support + max(1, merge)
        for support, merge in zip(landscape_halo_px(parameters), parameters.merge_px, strict=True)
    )
    return z, y, x


def _reach(weights: Weights) -> Triple:
    z, y, x = (len(half) - 1 for half in weights)
    return z, y, x


def _triple(values: Iterable[int]) -> Triple:
    z, y, x = values
    return z, y, x


@kernel
def _classify(smooth: Any, windows: Any, levels: Any, inside: Any, fillable: Any) -> None:
    """Mark pixels above the floor and above their share of the surroundings, and those that may fill a hole.

    levels = background, floor, share, hole share. Flat uint16 arrays; `windows` holds three of them.
    """
    background, floor, share, hole_share = levels
    first, second, third = windows
    for n in range(smooth.size):
        tone = np.int32(smooth[n])
        around = (np.int32(first[n]) + np.int32(second[n]) + np.int32(third[n])) // np.int32(3) - background
        signal = (tone - background) << np.int32(10)
        above = tone > floor
        inside[n] = 65535 if above and signal > share * around else 0
        fillable[n] = above and signal > hole_share * around


def find_foreground(pixels: NDArray[np.uint16], parameters: BasinsParameters) -> NDArray[np.bool_]:
    """Pixels of nuclei: above the floor and their surroundings, outline smoothed, holes filled."""
    p = parameters
    tones = tone_table(p.background, p.unit)[pixels]
    smooth = gaussian_blur(tones, p.smoothing)
    windows = tuple(box_mean(tones, window).reshape(-1) for window in p.windows_px)
    inside = np.empty_like(smooth)
    fillable = np.empty(smooth.shape, np.bool_)
    levels = tuple(np.int32(v) for v in (p.tone_background, p.tone_floor, p.local_share, p.hole_share))
    _classify(smooth.reshape(-1), windows, levels, inside.reshape(-1), fillable.reshape(-1))
    outline = gaussian_blur(inside, p.outline) > 65535 // 2
    return outline | (enclosed_pixels(outline, p.hole_px) & fillable)


def landscape(pixels: NDArray[np.uint16], parameters: BasinsParameters) -> NDArray[np.uint16]:
    """Landscape of a read region (z, y, x), 0 = background; its faces are mirrored like image edges."""
    p = parameters
    foreground = find_foreground(pixels, p)
    squared = clipped_distance(foreground, p.step, p.distance_limit)
    heights = gaussian_blur(_height_table(p.distance_limit)[squared], p.distance_smoothing)
    heights = np.where(foreground, np.maximum(heights, 1), 0).astype(np.uint16)
    offsets = _offsets(p.step, (p.distance_limit * p.cone_share) >> 10, p.cone_slope, pixels.shape[0] > 1)
    return raise_cones(heights, squared, p.cone_share, offsets)


@lru_cache(maxsize=4)
def _height_table(limit: int) -> NDArray[np.uint16]:
    """Squared distance to height: proportional to the distance, _TOP at the limit."""
    return np.array([isqrt(squared * _TOP * _TOP // limit) for squared in range(limit + 1)], np.uint16)


@lru_cache(maxsize=4)
def _offsets(step: Triple, limit: int, slope: int, is_volume: bool) -> NDArray[np.int64]:
    return cone_offsets(step if is_volume else (limit + 1, step[1], step[2]), limit, slope)


@dataclass(frozen=True)
class BasinsMethod:
    """`basins` as a landscape method: picklable, nothing but whole numbers."""

    channel: int
    parameters: BasinsParameters

    @property
    def halo_px(self) -> Triple:
        """Border (z, y, x) for landscape, climbing and merging."""
        return halo_px(self.parameters)

    @property
    def merge_radius_px(self) -> tuple[float, float, float]:
        """Distance (z, y, x) within which a local peak gives way to a higher pixel."""
        z, y, x = self.parameters.merge_px
        return float(z), float(y), float(x)

    def landscape(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Landscape (z, y, x) of a read region; 0 is background."""
        return landscape(pixels, self.parameters)


def make_basins(
    options: BasinsOptions,
    *,
    channel: int,
    survey: Survey,
    spacing_um: tuple[float, float, float],
    is_volume: bool,
) -> BasinsMethod:
    """The method with the options of a configuration; a plane has no extent along z."""
    settings = BasinsSettings(nucleus_diameter_um=options.nucleus_diameter_um)
    spacing = spacing_um if is_volume else (spacing_um[1], spacing_um[1], spacing_um[2])
    return BasinsMethod(channel, derive_parameters(settings, pixel_size_um=spacing, survey=survey))
