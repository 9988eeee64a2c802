"""Which segmentation methods there are, and how their options become whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from math import ceil, pi, sqrt

from isthmus.config.segmentation import LandscapeOptions, SegmentationOptions
from isthmus.image.channels import find_channel
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.method import LandscapeMethod, MakeLandscapeMethod

METHODS: dict[str, str] = {"basins": "isthmus.segment.basins", "blobs": "isthmus.segment.blobs"}
"""Module of each landscape method by its name in the configuration; its `make_method` is a MakeLandscapeMethod.

Imported when it is needed: compiling kernels takes time that validation and planning do not have.
"""


def make_method(
    options: SegmentationOptions,
    *,
    channels: Sequence[str],
    surveys: Sequence[ChannelSurvey],
    spacing_um: tuple[float, float, float],
) -> LandscapeMethod:
    """The landscape method that the configuration names, ready for workers.

    Parameters
    ----------
    channels, surveys
        Names of the image's channels and their global statistics.
    spacing_um
        Pixel spacing (z, y, x).
    """
    make: MakeLandscapeMethod = import_module(METHODS[options.method]).make_method
    channel = channel_index(options, channels)
    return make(_chosen(options), channel=channel, survey=surveys[channel], spacing_um=spacing_um)


def _chosen(options: SegmentationOptions) -> LandscapeOptions:
    """Options of the method that is used."""
    section: LandscapeOptions = getattr(options, options.method)
    return section


def channel_index(options: SegmentationOptions, channels: Sequence[str]) -> int:
    """The channel that shows the nuclei."""
    channel = _chosen(options).channel
    if channel is None:
        return 0
    return find_channel(f"segmentation.{options.method}.channel", channel, channels)


def min_area_px(
    options: SegmentationOptions, *, spacing_um: tuple[float, float, float], is_volume: bool
) -> int:
    """Smallest nucleus in pixels; in a volume the area is that of the sphere's largest section."""
    area = _chosen(options).min_area_um2 or 0.0
    z, y, x = spacing_um
    if is_volume:
        volume = 4 / 3 * area * sqrt(area / pi)
        return _whole_pixels(volume / (z * y * x))
    return _whole_pixels(area / (y * x))


def _whole_pixels(number: float) -> int:
    """The fewest pixels that are not fewer than this number; 40.000000001 is 40, for sizes are not exact."""
    return max(1, ceil(number - 1e-6))
