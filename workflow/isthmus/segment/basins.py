"""The segmentation method `basins`: pixels of a nuclear stain to a landscape whose basins are the nuclei.

Settings are in micrometres. `derive_parameters` turns them, with the pixel spacing and the survey of the
channel, into whole numbers once a sample; `landscape` uses nothing else, so blocks are independent. Each
operator has a declared support; `halo_px` adds them up. docs/segmentation.md says why each step is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.kernel import kernel
from isthmus.config.presets import BasinsSettings
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.background import without_background
from isthmus.segment.basins_parameters import (
    HEIGHT_TOP,
    SHARE,
    BasinsParameters,
    Triple,
    derive_parameters,
    halo_px,
)
from isthmus.segment.filters import box_mean, gaussian_blur
from isthmus.segment.grooves import groove_depth
from isthmus.segment.lattice import bin_means, to_pixels
from isthmus.segment.saddles import bridge_saddles
from isthmus.segment.shapes import clipped_distance, enclosed_pixels
from isthmus.segment.tone import look_up, tone_table

if TYPE_CHECKING:
    # Workers load this file; validation of options would double the time that takes.
    from isthmus.config.segmentation import BasinsOptions

__all__ = ["BasinsMethod", "BasinsParameters", "BasinsSettings", "derive_parameters", "halo_px", "landscape"]


INSIDE = 65535 // 2
"""The outline of a nucleus is where the smoothed mask, 0 to 65535, passes this."""


@kernel
def _classify(smooth: Any, windows: Any, levels: Any, inside: Any, fillable: Any) -> None:
    """Mark pixels above the floor and above their share of the surroundings, and those that may fill a hole.

    levels = background, floor, share, hole share. Flat uint16 arrays; the surroundings are the mean of a small window
    and, twice, a large one.
    """
    background, floor, share, hole_share = levels
    small, large = windows
    for n in range(smooth.size):
        tone = np.int32(smooth[n])
        around = (np.int32(small[n]) + np.int32(2) * np.int32(large[n])) // np.int32(3) - background
        signal = (tone - background) * np.int32(SHARE)
        above = tone > floor
        inside[n] = 65535 if above and signal > share * around else 0
        fillable[n] = above and signal > hole_share * around


@kernel
def _fill_holes(enclosed: Any, fillable: Any, field: Any) -> None:
    """Put enclosed pixels that may fill a hole inside. Flat arrays."""
    for n in range(field.size):
        is_hole = enclosed[n] & fillable[n] & (field[n] <= np.uint16(INSIDE))
        field[n] = np.uint16(65535) if is_hole else field[n]


def find_foreground(tones: NDArray[np.uint16], parameters: BasinsParameters) -> NDArray[np.uint16]:
    """How much a bin is in a nucleus, 0 to 65535: above the floor and its surroundings, outline smoothed, holes filled.

    Above INSIDE it is foreground.
    """
    p = parameters
    smooth = gaussian_blur(tones, p.smoothing)
    windows = tuple(box_mean(tones, window).reshape(-1) for window in p.windows_px)
    inside = np.empty_like(smooth)
    fillable = np.empty(smooth.shape, np.bool_)
    levels = tuple(np.int32(v) for v in (p.tone_background, p.tone_floor, p.local_share, p.hole_share))
    _classify(smooth.reshape(-1), windows, levels, inside.reshape(-1), fillable.reshape(-1))
    field = gaussian_blur(inside, p.outline)
    enclosed = enclosed_pixels(field > INSIDE, p.hole_px)
    _fill_holes(enclosed.reshape(-1), fillable.reshape(-1), field.reshape(-1))
    return field


@kernel
def _keep_cores(depth: Any, squared: Any, levels: Any, cores: Any) -> None:
    """Mark pixels of the foreground whose groove is shallow; how shallow grows with the distance from the outside.

    levels = tones of a groove near the outside, squared distance up to which that is, largest squared distance
    that counts. Flat arrays.
    """
    tones, near, far = levels
    for n in range(depth.size):
        inside = min(np.int64(squared[n]), far)
        deep = np.int64(depth[n])
        cores[n] = inside > 0 and deep * deep * near <= tones * tones * max(inside, near)


def find_cores(
    tones: NDArray[np.uint16], foreground: NDArray[np.bool_], parameters: BasinsParameters
) -> NDArray[np.bool_]:
    """The foreground without the dark grooves that part touching nuclei.

    Where large nuclei are looked for a groove deep inside the foreground must be deeper: they have coarse texture.
    """
    p = parameters
    depth = groove_depth(gaussian_blur(tones, p.groove_smoothing), p.groove_half_px, p.groove_offset_px)
    if p.groove_far <= p.groove_near:
        return foreground & (depth <= p.groove_tones)
    squared = clipped_distance(foreground, p.step, p.groove_far)
    cores = np.empty(tones.shape, np.bool_)
    levels = tuple(np.int64(v) for v in (p.groove_tones, p.groove_near, p.groove_far))
    _keep_cores(depth.reshape(-1), squared.reshape(-1), levels, cores.reshape(-1))
    return cores


@kernel
def _raise_foreground(foreground: Any, heights: Any) -> None:
    """At least 1 in the foreground, 0 elsewhere. Flat arrays."""
    for n in range(heights.size):
        height = max(heights[n], np.uint16(1))
        heights[n] = height if foreground[n] else np.uint16(0)


def landscape(pixels: NDArray[np.uint16], parameters: BasinsParameters) -> NDArray[np.uint32]:
    """Landscape of a read region (z, y, x), 0 = background; its faces are mirrored like image edges."""
    p = parameters
    means = bin_means(pixels, p.lattice_px)
    if any(p.background_px):
        means = without_background(means, gaussian_blur(means, p.smoothing), p.background_px)
    tones = look_up(tone_table(p.background, p.unit), means)
    field = find_foreground(tones, p)
    foreground = field > INSIDE
    squared = clipped_distance(find_cores(tones, foreground, p), p.step, p.distance_limit)
    heights = gaussian_blur(look_up(_height_table(p.distance_limit), squared), p.distance_smoothing)
    _raise_foreground(foreground.reshape(-1), heights.reshape(-1))
    values = bridge_saddles(heights, p.neck_share, p.neck_px)
    z, y, x = pixels.shape
    return to_pixels(field, values, p.lattice_px, (z, y, x))


@lru_cache(maxsize=4)
def _height_table(limit: int) -> NDArray[np.uint16]:
    """Squared distance to height: proportional to the distance, HEIGHT_TOP at the limit."""
    return np.array(
        [isqrt(squared * HEIGHT_TOP * HEIGHT_TOP // limit) for squared in range(limit + 1)], np.uint16
    )


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
    def lattice_px(self) -> Triple:
        """Pixels (z, y, x) a bin."""
        return self.parameters.lattice_px

    @property
    def merge_radius_px(self) -> tuple[float, float, float]:
        """Distance (z, y, x) within which a local peak gives way to a higher pixel."""
        z, y, x = self.parameters.merge_px
        return float(z), float(y), float(x)

    def landscape(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint32]:
        """Landscape (z, y, x) of a read region; 0 is background."""
        return landscape(pixels, self.parameters)


def make_method(
    options: BasinsOptions,
    *,
    channel: int,
    survey: ChannelSurvey,
    spacing_um: tuple[float, float, float],
) -> BasinsMethod:
    """The method for one channel of one sample."""
    parameters = derive_parameters(options.settings(), pixel_size_um=spacing_um, survey=survey)
    return BasinsMethod(channel=channel, parameters=parameters)
