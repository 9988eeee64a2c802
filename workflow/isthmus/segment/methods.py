"""Which segmentation methods there are, and how their options become whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, pi, sqrt

from isthmus.config.segmentation import BasinsOptions, SegmentationOptions
from isthmus.errors import UserError, did_you_mean
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.method import LandscapeMethod


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
    # Imported here because compiling kernels takes time that validation and planning do not have.
    from isthmus.segment.basins import BasinsMethod, BasinsSettings, derive_parameters

    channel = channel_index(options.basins, channels)
    chosen = options.basins.model_dump(exclude={"channel", "min_area_um2"})
    parameters = derive_parameters(
        BasinsSettings(**chosen), pixel_size_um=spacing_um, survey=surveys[channel]
    )
    return BasinsMethod(channel=channel, parameters=parameters)


def channel_index(options: BasinsOptions, channels: Sequence[str]) -> int:
    """The channel that shows the nuclei."""
    if options.channel is None:
        return 0
    if options.channel not in channels:
        raise UserError(
            where="segmentation.basins.channel",
            found=f"the image has no channel '{options.channel}' (it has {', '.join(channels)})",
            do=did_you_mean(options.channel, channels),
        )
    return list(channels).index(options.channel)


def min_area_px(
    options: SegmentationOptions, *, spacing_um: tuple[float, float, float], is_volume: bool
) -> int:
    """Smallest nucleus in pixels; in a volume the area is that of the sphere's largest section."""
    area = options.basins.min_area_um2
    z, y, x = spacing_um
    if is_volume:
        volume = 4 / 3 * area * sqrt(area / pi)
        return _whole_pixels(volume / (z * y * x))
    return _whole_pixels(area / (y * x))


def _whole_pixels(number: float) -> int:
    """The fewest pixels that are not fewer than this number; 40.000000001 is 40, for sizes are not exact."""
    return max(1, ceil(number - 1e-6))
