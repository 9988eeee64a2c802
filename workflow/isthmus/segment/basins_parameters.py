"""Settings of the method `basins` in micrometres, the whole numbers they become, and how far each operator looks."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isqrt, log2

import numpy as np

from isthmus.config.presets import BasinsSettings
from isthmus.segment.filters import gaussian_weights
from isthmus.segment.grooves import groove_reach
from isthmus.segment.lattice import MOST_PX
from isthmus.segment.saddles import bridge_reach
from isthmus.segment.tone import Survey, tone_table, two_classes

Triple = tuple[int, int, int]
Weights = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

HEIGHT_TOP = 60000
"""Height of a pixel as far from the background as the clipped distance goes."""

SHARE = 1024
"""Shares are given in parts of this."""

_STEP = 16
_COARSE_FROM = 1.6
"""From this range of sizes on nuclei are looked for that have coarse texture."""

_FINEST = 16
"""Bins in a nucleus's diameter: finer pixels are binned."""


@dataclass(frozen=True)
class BasinsParameters:
    """The method in whole numbers; shares in 1/1024, tones of `tone_table`.

    Lengths are in bins of `lattice_px` pixels (z, y, x), but for `merge_px`, which is in pixels.
    """

    lattice_px: Triple
    background_px: Triple
    background: int
    unit: int
    tone_background: int
    tone_floor: int
    local_share: int
    hole_share: int
    smoothing: Weights
    windows_px: tuple[Triple, Triple]
    outline: Weights
    hole_px: int
    groove_smoothing: Weights
    groove_half_px: int
    groove_offset_px: int
    groove_tones: int
    groove_near: int
    groove_far: int
    step: Triple
    distance_limit: int
    distance_smoothing: Weights
    neck_share: int
    neck_px: Triple
    merge_px: Triple


def derive_parameters(
    settings: BasinsSettings, *, pixel_size_um: tuple[float, float, float], survey: Survey
) -> BasinsParameters:
    """Turn settings in micrometres into whole numbers, for one channel of one sample."""
    diameter = settings.nucleus_diameter_um
    reach = settings.size_range * diameter / 2
    lattice = lattice_px(diameter, pixel_size_um)
    bin_um = tuple(size * n for size, n in zip(pixel_size_um, lattice, strict=True))
    size = (bin_um[0], bin_um[1], bin_um[2])
    # The unit of squared length comes from the plane: images of one plane have no meaningful extent along z.
    in_plane = min(size[1:])
    z, y, x = (max(1, round(_STEP * (length / in_plane) ** 2)) for length in size)
    background, unit, dark, bright = _levels(survey, is_even=settings.background_um == 0)
    near, far = _groove_bounds(settings, in_plane)
    return BasinsParameters(
        lattice_px=lattice,
        background_px=_in_plane(settings.background_um, size),
        background=background,
        unit=unit,
        tone_background=dark,
        tone_floor=dark + round((1 - settings.sensitivity) * (bright - dark)),
        local_share=round(SHARE * settings.local_contrast),
        hole_share=round(SHARE * 0.8 * settings.local_contrast),
        smoothing=_gaussian(settings.smoothing_um, size),
        windows_px=(_pixels(0.2 * diameter, size), _pixels(0.7 * diameter, size)),
        outline=_gaussian(0.05 * diameter, size),
        hole_px=max(1, round(reach / in_plane)),
        groove_smoothing=_gaussian(0.09 * diameter, size),
        groove_half_px=max(1, round(0.4 * diameter / in_plane)),
        groove_offset_px=max(1, round(0.15 * diameter / in_plane)),
        groove_tones=round(settings.groove_depth * (bright - dark)),
        groove_near=near,
        groove_far=far,
        step=(z, y, x),
        distance_limit=_squared(reach / in_plane),
        distance_smoothing=_gaussian(0.07 * diameter, size),
        neck_share=round(SHARE * settings.roundness),
        # In volumes nuclei above one another are parted by little; far along z every neck looks wide.
        neck_px=(_pixels(0.2 * diameter, size)[0], *_pixels(0.6 * reach, size)[1:]),
        merge_px=_pixels(0.225 * diameter, pixel_size_um),
    )


def _groove_bounds(settings: BasinsSettings, in_plane_um: float) -> tuple[int, int]:
    """Squared distances from the outside between which grooves must become deeper; equal where they need not."""
    near = _squared(0.25 * settings.nucleus_diameter_um / in_plane_um)
    if settings.size_range < _COARSE_FROM:
        return near, near
    return near, max(near, _squared(0.32 * settings.size_range * settings.nucleus_diameter_um / in_plane_um))


def lattice_px(diameter_um: float, pixel_size_um: tuple[float, float, float]) -> Triple:
    """Pixels (z, y, x) of a bin: the largest power of two that keeps bins at or below 1/16 of a nucleus's diameter."""
    z, y, x = (_power_of_two(diameter_um / (_FINEST * size)) for size in pixel_size_um)
    return z, y, x


def _power_of_two(most: float) -> int:
    """The largest power of two, 1 to MOST_PX, that is not larger; 1.999999999 is 2, for sizes are not exact."""
    return 1 << min(MOST_PX.bit_length() - 1, max(0, floor(log2(most + 1e-6))))


def _squared(length_px: float) -> int:
    return max(2 * _STEP, round(_STEP * length_px**2))


def _gaussian(sigma_um: float, pixel_size_um: tuple[float, float, float]) -> Weights:
    z, y, x = pixel_size_um
    return gaussian_weights(sigma_um / z), gaussian_weights(sigma_um / y), gaussian_weights(sigma_um / x)


def _pixels(length_um: float, pixel_size_um: tuple[float, float, float]) -> Triple:
    z, y, x = pixel_size_um
    return round(length_um / z), max(1, round(length_um / y)), max(1, round(length_um / x))


def _in_plane(length_um: float, pixel_size_um: tuple[float, float, float]) -> Triple:
    _, y, x = (round(length_um / size) for size in pixel_size_um)
    return 0, y, x


def _levels(survey: Survey, *, is_even: bool) -> tuple[int, int, int, int]:
    """Background, contrast unit, and the tones of the background and of the typical nucleus.

    Where the background is not even it will have been taken off: it is 0, and a typical nucleus is as bright as the two
    classes are apart. In an image of one value no tone is brighter than the last, so nothing is found.
    """
    histogram = np.asarray(survey.histogram)
    values = np.flatnonzero(histogram)
    counts = histogram[values].tolist()
    background = survey.percentile(1)
    classes = two_classes(values.tolist(), counts)
    unit = max(1, round(0.4 * (classes[1] - classes[0]))) if classes else 1
    if not is_even and classes:
        return 0, unit, 0, int(tone_table(0, unit)[min(65535, classes[1] - classes[0])])
    dark, bright = two_classes(tone_table(background, unit)[values].tolist(), counts) or (65535, 65535)
    return background, unit, dark, bright


def supports(parameters: BasinsParameters) -> dict[str, Triple]:
    """How many bins far each operator looks along z, y, x.

    Lines are made from the pixels, like the foreground and the depth of the foreground that follows on it; the rest
    follows on both in this order.
    """
    p = parameters
    line = groove_reach(p.groove_half_px, p.groove_offset_px)
    depth = _ball(p.groove_far - 1, p.step) if p.groove_far > p.groove_near else (0, 0, 0)
    _, y, x = p.background_px
    return {
        "background": _total(_reach(p.smoothing), (0, 2 * y, 2 * x)) if any(p.background_px) else (0, 0, 0),
        "foreground": _total(
            _largest(_reach(p.smoothing), *p.windows_px), _reach(p.outline), (0, p.hole_px, p.hole_px)
        ),
        "depth of foreground": depth,
        "grooves": _total(_reach(p.groove_smoothing), (0, line, line)),
        "distance": _ball(p.distance_limit - 1, p.step),
        "smoothing of distance": _reach(p.distance_smoothing),
        "necks": bridge_reach(p.neck_px),
        "pixels from bins": (0, 0, 0) if p.lattice_px == (1, 1, 1) else (1, 1, 1),
    }


def landscape_halo_px(parameters: BasinsParameters) -> Triple:
    """Border (z, y, x) that a block needs for the landscape of its write region: the supports added up, in pixels.

    Read regions hold whole bins (`read_region`).
    """
    bins = supports(parameters)
    foreground = _total(bins.pop("foreground"), bins.pop("depth of foreground"))
    z, y, x = _total(_largest(foreground, bins.pop("grooves")), *bins.values())
    along_z, along_y, along_x = parameters.lattice_px
    return z * along_z, y * along_y, x * along_x


def halo_px(parameters: BasinsParameters) -> Triple:
    """Border (z, y, x) that a block needs for the pointers of its write region: landscape, climbing, merging.

    Pixels beyond the write region that pointers may reach need the right landscape too: one pixel to climb,
    or the merge distance if that is more.
    """
    return _total(landscape_halo_px(parameters), _largest((1, 1, 1), parameters.merge_px))


def _reach(weights: Weights) -> Triple:
    z, y, x = (len(half) - 1 for half in weights)
    return z, y, x


def _ball(squared: int, step: Triple) -> Triple:
    z, y, x = (isqrt(squared // length) for length in step)
    return z, y, x


def _total(*supports: Triple) -> Triple:
    z, y, x = (sum(axis) for axis in zip(*supports, strict=True))
    return z, y, x


def _largest(*supports: Triple) -> Triple:
    z, y, x = (max(axis) for axis in zip(*supports, strict=True))
    return z, y, x
