"""A landscape method in one file, as docs/segmentation.md describes: the mean of bins of two by two pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isthmus.blocks.grid import Triple
from isthmus.config.options import option
from isthmus.config.segmentation import LandscapeOptions
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.lattice import bin_means
from isthmus.segment.method import Landscape, Pixels


class ToyOptions(LandscapeOptions):
    """Options of the method `toy`."""

    percentile: float = option(70.0, "Darker pixels are background.", ge=0, le=100)


@dataclass(frozen=True)
class ToyMethod:
    """Bins above a level, as bright as they are."""

    channel: int
    level: int
    lattice_px: Triple = (1, 2, 2)
    halo_px: Triple = (0, 4, 4)
    merge_radius_px: tuple[float, float, float] = (0.0, 3.0, 3.0)

    def landscape(self, pixels: Pixels) -> Landscape:
        """The mean of a pixel's bin where that is above the level."""
        means = bin_means(pixels, self.lattice_px)
        high = np.where(means > self.level, means, 0).repeat(2, axis=1).repeat(2, axis=2)
        return high[tuple(slice(n) for n in pixels.shape)]


def make_method(
    options: ToyOptions, *, channel: int, survey: ChannelSurvey, spacing_um: tuple[float, float, float]
) -> ToyMethod:
    """The method for one channel of one sample."""
    return ToyMethod(channel=channel, level=survey.percentile(options.percentile))
