"""Settings of the method `basins` in micrometres, the whole numbers they become, and how far each operator looks."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isqrt, log2

import numpy as np

from isthmus.segment.filters import gaussian_weights
from isthmus.segment.grooves import groove_reach
from isthmus.segment.lattice import MOST_PX
from isthmus.segment.tone import Survey, tone_table, two_classes

Triple = tuple[int, int, int]
Weights = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

HEIGHT_TOP = 60000
"""Height of a pixel as far from the background as the clipped distance goes."""

SHARE = 1024
"""Shares are given in parts of this."""

_STEP = 16
_FINEST = 16
"""Bins in a nucleus's diameter: finer pixels are binned."""


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
    groove_depth
        0 to 1; a dark groove at least this deep, as a share of the contrast of nuclei, parts two nuclei. Less splits
        more.
    roundness
        0 to 1; how round nuclei are: a neck narrower than this share of the thinner part parts two nuclei. More
        splits more.
    """

    nucleus_diameter_um: float = 8.0
    sensitivity: float = 0.6
    local_contrast: float = 0.95
    smoothing_um: float = 0.5
    groove_depth: float = 0.04
    roundness: float = 0.85


@dataclass(frozen=True)
class BasinsParameters:
    """The method in whole numbers; shares in 1/1024, tones of `tone_table`.

    Lengths are in bins of `lattice_px` pixels (z, y, x), but for `merge_px`, which is in pixels.
    """

    lattice_px: Triple
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
    lattice = lattice_px(diameter, pixel_size_um)
    pixel_size_um, merge = _bin_size(pixel_size_um, lattice), _pixels(0.225 * diameter, pixel_size_um)
    background, unit, dark, bright = _levels(survey)
    # The unit of squared length comes from the plane: images of one plane have no meaningful extent along z.
    in_plane = min(pixel_size_um[1:])
    near, far, limit = (_squared(share * diameter / in_plane) for share in (0.25, 0.4, 1.0))
    z, y, x = (max(1, round(_STEP * (size / in_plane) ** 2)) for size in pixel_size_um)
    step = (z, y, x)
    return BasinsParameters(
        lattice_px=lattice,
        background=background,
        unit=unit,
        tone_background=dark,
        tone_floor=dark + round((1 - settings.sensitivity) * (bright - dark)),
        local_share=round(SHARE * settings.local_contrast),
        hole_share=round(SHARE * 0.8 * settings.local_contrast),
        smoothing=_gaussian(settings.smoothing_um, pixel_size_um),
        windows_px=tuple(_pixels(share * diameter, pixel_size_um) for share in (0.25, 0.5, 0.75)),
        outline=_gaussian(0.05 * diameter, pixel_size_um),
        hole_px=max(1, round(0.6 * diameter / in_plane)),
        groove_smoothing=_gaussian(0.09 * diameter, pixel_size_um),
        groove_half_px=max(1, round(0.4 * diameter / in_plane)),
        groove_offset_px=max(1, round(0.15 * diameter / in_plane)),
        groove_tones=round(settings.groove_depth * (bright - dark)),
        groove_near=near,
        groove_far=far,
        step=step,
        distance_limit=limit,
        distance_smoothing=_gaussian(0.09 * diameter, pixel_size_um),
        neck_share=round(SHARE * settings.roundness),
        # In volumes nuclei above one another are parted by little; far along z every neck looks wide.
        neck_px=(_pixels(0.2 * diameter, pixel_size_um)[0], *_pixels(0.6 * diameter, pixel_size_um)[1:]),
        merge_px=merge,
    )


def lattice_px(diameter_um: float, pixel_size_um: tuple[float, float, float]) -> Triple:
    """Pixels (z, y, x) of a bin: the largest power of two that keeps bins at or below 1/16 of a nucleus's diameter."""
    z, y, x = (_power_of_two(diameter_um / (_FINEST * size)) for size in pixel_size_um)
    return z, y, x


def _power_of_two(most: float) -> int:
    """The largest power of two, 1 to MOST_PX, that is not larger; 1.999999999 is 2, for sizes are not exact."""
    return 1 << min(MOST_PX.bit_length() - 1, max(0, floor(log2(most + 1e-6))))


def _bin_size(pixel_size_um: tuple[float, float, float], lattice: Triple) -> tuple[float, float, float]:
    z, y, x = (size * n for size, n in zip(pixel_size_um, lattice, strict=True))
    return z, y, x


def _squared(length_px: float) -> int:
    return max(2 * _STEP, round(_STEP * length_px**2))


def _gaussian(sigma_um: float, pixel_size_um: tuple[float, float, float]) -> Weights:
    z, y, x = pixel_size_um
    return gaussian_weights(sigma_um / z), gaussian_weights(sigma_um / y), gaussian_weights(sigma_um / x)


def _pixels(length_um: float, pixel_size_um: tuple[float, float, float]) -> Triple:
    z, y, x = pixel_size_um
    return round(length_um / z), max(1, round(length_um / y)), max(1, round(length_um / x))


def _levels(survey: Survey) -> tuple[int, int, int, int]:
    """Background, contrast unit, and the tones of the background and of the typical nucleus.

    In an image of one value no tone is brighter than the last, so nothing is found.
    """
    histogram = np.asarray(survey.histogram)
    values = np.flatnonzero(histogram)
    counts = histogram[values].tolist()
    background = survey.percentile(1)
    classes = two_classes(values.tolist(), counts)
    unit = max(1, round(0.4 * (classes[1] - classes[0]))) if classes else 1
    dark, bright = two_classes(tone_table(background, unit)[values].tolist(), counts) or (65535, 65535)
    return background, unit, dark, bright


def supports(parameters: BasinsParameters) -> dict[str, Triple]:
    """How many bins far each operator looks along z, y, x.

    Lines are made from the pixels, like the foreground and the depth of the foreground that follows on it; the rest
    follows on both in this order.
    """
    p = parameters
    line = groove_reach(p.groove_half_px, p.groove_offset_px)
    return {
        "foreground": _total(
            _largest(_reach(p.smoothing), *p.windows_px), _reach(p.outline), (0, p.hole_px, p.hole_px)
        ),
        "depth of foreground": _ball(p.groove_far - 1, p.step),
        "grooves": _total(_reach(p.groove_smoothing), (0, line, line)),
        "distance": _ball(p.distance_limit - 1, p.step),
        "smoothing of distance": _reach(p.distance_smoothing),
        "necks": _total((1, 1, 1), p.neck_px),
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
