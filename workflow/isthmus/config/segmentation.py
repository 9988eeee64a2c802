"""Options of the segmentation methods; each method's options stand under the method's own name."""

from __future__ import annotations

from typing import Literal

from isthmus.config.options import Section, option


class BasinsOptions(Section):
    """Classical segmentation: basins of steepest ascent of a landscape made by bounded integer filters."""

    channel: str | None = option(None, "Channel that shows the nuclei; null takes the image's first.")
    nucleus_diameter_um: float = option(
        8.0, "Typical diameter of a nucleus; all windows and radii follow it.", unit="um", ge=1, le=100
    )
    sensitivity: float = option(
        0.6,
        "How faint a nucleus may be: 0 as bright as the typical one, 1 as dark as the background.",
        ge=0,
        le=1,
    )
    local_contrast: float = option(
        0.95,
        "How bright a pixel must be in its surroundings: 0 they do not matter, 1 brighter than their mean. More"
        " parts crowded nuclei better and makes nuclei smaller.",
        ge=0,
        le=1,
    )
    smoothing_um: float = option(
        0.5, "Detail below this is taken for noise or texture.", unit="um", ge=0, le=10
    )
    groove_depth: float = option(
        0.04,
        "A dark groove at least this deep, as a share of the contrast of nuclei, parts two nuclei. Less splits more.",
        ge=0,
        le=1,
    )
    roundness: float = option(
        0.85,
        "How round nuclei are: a neck narrower than this share of the thinner part parts two nuclei. More splits"
        " more.",
        ge=0,
        le=1,
    )
    min_area_um2: float = option(6.0, "Nuclei smaller than this are dropped.", unit="um2", ge=0, le=10_000)


class SegmentationOptions(Section):
    """How nuclei are found."""

    method: Literal["basins", "labels"] = option(
        "basins",
        "`basins` finds nuclei in the image; `labels` imports the label image named in the sample sheet.",
    )
    basins: BasinsOptions = option(BasinsOptions(), "Options of the method `basins`.")
