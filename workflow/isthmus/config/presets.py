"""Presets of the method `basins`: what its options are when the user does not give them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class BasinsSettings:
    """The options of `basins` that presets set, each with the value of the preset `tissue`.

    nucleus_diameter_um
        Typical diameter. All windows and radii are fixed shares of it.
    measure_diameter
        Measure the typical diameter of each sample; nucleus_diameter_um is then where the search begins.
    size_range
        How much larger than typical a nucleus may be and stay whole; looking farther makes halos wider.
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
    background_um
        Half the width of the window in which the background is looked for; 0: one background for the whole image.
    min_area_um2
        Smaller nuclei are dropped; used when blocks are joined.
    """

    nucleus_diameter_um: float = 8.0
    measure_diameter: bool = False
    size_range: float = 1.2
    sensitivity: float = 0.65
    local_contrast: float = 0.96
    smoothing_um: float = 0.4
    groove_depth: float = 0.04
    roundness: float = 0.85
    background_um: float = 0.0
    min_area_um2: float = 6.0


PRESETS: dict[str, BasinsSettings] = {
    "tissue": BasinsSettings(),
    "culture": BasinsSettings(
        measure_diameter=True,
        size_range=1.6,
        sensitivity=0.5,
        local_contrast=0.95,
        groove_depth=0.035,
        roundness=0.9,
    ),
    "small_nuclei": BasinsSettings(nucleus_diameter_um=5.0, smoothing_um=0.3, min_area_um2=3.0),
    "large_nuclei": BasinsSettings(
        nucleus_diameter_um=16.0, size_range=1.5, sensitivity=0.6, smoothing_um=0.8, min_area_um2=25.0
    ),
    "uneven_background": BasinsSettings(background_um=20.0),
}
"""By name, in the order of the documents."""


def fill(given: Any) -> Any:
    """Options as given, those missing or null from the preset; what is no mapping or names none stays as it is."""
    if not isinstance(given, dict):
        return given
    preset = PRESETS.get(given.get("preset", "tissue")) if isinstance(given.get("preset", ""), str) else None
    if preset is None:
        return given
    values = {field.name: getattr(preset, field.name) for field in fields(preset)}
    return values | {name: value for name, value in given.items() if value is not None or name not in values}
