"""Options of the segmentation methods; each method's options stand under the method's own name."""

from __future__ import annotations

from typing import Literal

from isthmus.config.options import Section, option


class BasinsOptions(Section):
    """Classical segmentation: basins of steepest ascent of a landscape made by bounded integer filters."""

    channel: str | None = option(None, "Channel that shows the nuclei; null takes the image's first.")
    nucleus_diameter_um: float = option(7.0, "Typical diameter of a nucleus.", unit="um", ge=1, le=100)
    min_area_um2: float = option(10.0, "Nuclei smaller than this are dropped.", unit="um2", ge=0, le=10_000)


class SegmentationOptions(Section):
    """How nuclei are found."""

    method: Literal["basins", "labels"] = option(
        "basins",
        "`basins` finds nuclei in the image; `labels` imports the label image named in the sample sheet.",
    )
    basins: BasinsOptions = option(BasinsOptions(), "Options of the method `basins`.")
