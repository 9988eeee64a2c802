"""The segmentation method `blobs`: round, noisy nuclei as hills of a difference of two blurs, made for volumes.

A blurred image less a more blurred one (difference of Gaussians; Marr and Hildreth, doi:10.1098/rspb.1980.0020; for
finding blobs of a known size Lindeberg, doi:10.1023/A:1008045108935) is high in the middle of blobs of about the
blurs' width, whatever lies around them, and low between two that touch. All of it is done with the widths of each
axis, so that voxels may be of any shape. Whole numbers only; docs/segmentation.md says when to take it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isthmus.blocks.grid import Triple
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.basins_parameters import lattice_px
from isthmus.segment.filters import gaussian_blur, gaussian_weights
from isthmus.segment.lattice import bin_means, to_pixels
from isthmus.segment.tone import look_up, two_classes

if TYPE_CHECKING:
    from isthmus.config.segmentation import BlobsOptions

Weights = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
Spacing = tuple[float, float, float]

INSIDE = 65535 // 2
"""The outline is where the field of bins passes this."""

CONTRAST = 8192
"""Level of a typical nucleus above the background, in steps of the scale that is worked on; eight times it is cut."""

NARROW, WIDE = 0.18, 0.36
"""Widths (standard deviations) of the two blurs as shares of the diameter of a nucleus."""

SHARP = 0.06
"""Width of the blur of the brightness itself."""

MERGE = 0.225
"""Summits within this share of a diameter of a higher one give way to it."""


@dataclass(frozen=True)
class BlobsMethod:
    """`blobs` in whole numbers: picklable.

    Blurs are in bins of `lattice_px` pixels (z, y, x), `merge_px` in pixels; least and edge are levels on the scale
    on which a typical nucleus is CONTRAST above background.
    """

    channel: int
    lattice_px: Triple
    background: int
    contrast: int
    sharp: Weights
    narrow: Weights
    wide: Weights
    least: int
    edge: int
    merge_px: Triple

    @property
    def halo_px(self) -> Triple:
        """Border (z, y, x): the wider blur, outlines between bins, and climbing or merging."""
        reach = [
            (len(half) - 1 + (n > 1)) * n + max(1, merge)
            for half, n, merge in zip(self.wide, self.lattice_px, self.merge_px, strict=True)
        ]
        return reach[0], reach[1], reach[2]

    @property
    def merge_radius_px(self) -> tuple[float, float, float]:
        """Distance (z, y, x) within which a local peak gives way to a higher pixel."""
        z, y, x = self.merge_px
        return float(z), float(y), float(x)

    def landscape(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint32]:
        """Landscape (z, y, x) of a read region; 0 is background."""
        means = bin_means(pixels, self.lattice_px)
        levels = look_up(level_table(self.background, self.contrast), means)
        blob = gaussian_blur(levels, self.narrow).astype(np.int32) - gaussian_blur(levels, self.wide)
        light = gaussian_blur(levels, self.sharp).astype(np.int32)
        # Both conditions must hold; the lower margin decides, so that outlines may be interpolated.
        margin = np.minimum(blob - self.edge, light - self.least)
        field = np.clip(margin + INSIDE, 0, 65535).astype(np.uint16)
        values = np.where(field > INSIDE, np.maximum(blob, 1), 0).astype(np.uint32)
        z, y, x = pixels.shape
        return to_pixels(field, values, self.lattice_px, (z, y, x))


@lru_cache(maxsize=4)
def level_table(background: int, contrast: int) -> NDArray[np.uint16]:
    """Value -> (value - background) * CONTRAST / contrast, rounded down, within 0 to 65535."""
    values = np.maximum(np.arange(65536, dtype=np.int64) - background, 0)
    table: NDArray[np.uint16] = np.minimum(values * CONTRAST // contrast, 65535).astype(np.uint16)
    table.setflags(write=False)
    return table


def make_method(
    options: BlobsOptions, *, channel: int, survey: ChannelSurvey, spacing_um: Spacing
) -> BlobsMethod:
    """The method for one channel of one sample.

    The scale comes from the exact histogram of the whole channel: background is its 1st percentile, the contrast the
    distance of the two classes of Otsu's threshold.
    """
    diameter = options.nucleus_diameter_um
    lattice = lattice_px(diameter, spacing_um)
    z, y, x = (size * n for size, n in zip(spacing_um, lattice, strict=True))
    values = np.flatnonzero(survey.histogram)
    dark, bright = two_classes(values.tolist(), survey.histogram[values].tolist()) or (65535, 65535)
    background, contrast = survey.percentile(1), max(1, bright - dark)
    base = (dark - background) * CONTRAST // contrast
    return BlobsMethod(
        channel=channel,
        lattice_px=lattice,
        background=background,
        contrast=contrast,
        sharp=_weights(SHARP * diameter, (z, y, x)),
        narrow=_weights(NARROW * diameter, (z, y, x)),
        wide=_weights(WIDE * diameter, (z, y, x)),
        least=max(1, base + floor((1 - options.sensitivity) * CONTRAST)),
        edge=floor(options.edge * CONTRAST),
        merge_px=_pixels(MERGE * diameter, spacing_um),
    )


def _weights(sigma_um: float, size_um: Spacing) -> Weights:
    z, y, x = (gaussian_weights(sigma_um / size) for size in size_um)
    return z, y, x


def _pixels(length_um: float, size_um: Spacing) -> Triple:
    z, y, x = (round(length_um / size) for size in size_um)
    return z, y, x
