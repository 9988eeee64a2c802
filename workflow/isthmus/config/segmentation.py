"""Options of the segmentation methods; each method's options stand under the method's own name."""

from __future__ import annotations

from dataclasses import fields
from math import pi
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from isthmus.config.options import Section, option
from isthmus.config.presets import BasinsSettings, fill

_FROM_PRESET = " Null takes the preset's."


class LandscapeOptions(Section):
    """What every landscape method needs to be told; with `needs_gpu` each of its workers must have a device."""

    needs_gpu: ClassVar[bool] = False

    channel: str | None = option(None, "Channel that shows the nuclei; null takes the image's first.")
    min_area_um2: float | None = option(
        None, "Nuclei smaller than this are dropped; null for none.", unit="um2", ge=0, le=10_000
    )


class BasinsOptions(LandscapeOptions):
    """Classical segmentation: basins of steepest ascent of a landscape made by bounded integer filters."""

    preset: Literal["tissue", "culture", "small_nuclei", "large_nuclei", "uneven_background"] = option(
        "tissue",
        "Values of all options of `basins` that are not given, `channel` apart: `tissue` sections, `culture` cells of"
        " mixed sizes, `small_nuclei`, `large_nuclei`, or tissue with `uneven_background`. docs/segmentation.md has the"
        " table.",
    )
    nucleus_diameter_um: float | None = option(
        None,
        "Typical diameter of a nucleus; all windows and radii follow it." + _FROM_PRESET,
        unit="um",
        ge=1,
        le=100,
    )
    measure_diameter: bool | None = option(
        None,
        "Measure the typical diameter of each sample in up to 16 windows of its image, between 4 and 24 um;"
        " `nucleus_diameter_um` is then where the search begins." + _FROM_PRESET,
    )
    size_range: float | None = option(
        None,
        "How many times larger than typical a nucleus may be and stay whole. More makes blocks read more."
        + _FROM_PRESET,
        ge=1,
        le=5,
    )
    sensitivity: float | None = option(
        None,
        "How faint a nucleus may be: 0 as bright as the typical one, 1 as dark as the background."
        + _FROM_PRESET,
        ge=0,
        le=1,
    )
    local_contrast: float | None = option(
        None,
        "How bright a pixel must be in its surroundings: 0 they do not matter, 1 brighter than their mean. More"
        " parts crowded nuclei better and makes nuclei smaller." + _FROM_PRESET,
        ge=0,
        le=1,
    )
    smoothing_um: float | None = option(
        None, "Detail below this is taken for noise or texture." + _FROM_PRESET, unit="um", ge=0, le=10
    )
    groove_depth: float | None = option(
        None,
        "A dark groove at least this deep, as a share of the contrast of nuclei, parts two nuclei. Less splits more."
        + _FROM_PRESET,
        ge=0,
        le=1,
    )
    roundness: float | None = option(
        None,
        "How round nuclei are: a neck narrower than this share of the thinner part parts two nuclei. More splits"
        " more." + _FROM_PRESET,
        ge=0,
        le=1,
    )
    background_um: float | None = option(
        None,
        "Half the width of the window in which the background is looked for, more than a clump of nuclei; 0 takes one"
        " background for the whole image." + _FROM_PRESET,
        unit="um",
        ge=0,
        le=200,
    )
    min_area_um2: float | None = option(
        None, "Nuclei smaller than this are dropped." + _FROM_PRESET, unit="um2", ge=0, le=10_000
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        """Options that are not given are the preset's, so that plans and records show what was used."""
        return fill(given)

    def settings(self) -> BasinsSettings:
        """The options that presets set, none of them missing."""
        return BasinsSettings(**{field.name: getattr(self, field.name) for field in fields(BasinsSettings)})


_SMALLEST = 0.1357
"""Section of the smallest blob kept, as a share of the typical one's: the ball has a twentieth of its volume."""


class BlobsOptions(LandscapeOptions):
    """Round nuclei of one size in noise, in volumes above all: hills of a difference of two blurs."""

    nucleus_diameter_um: float = option(
        8.0,
        "Typical diameter of a nucleus; the widths of the blurs along z, y and x follow it.",
        unit="um",
        ge=1,
        le=100,
    )
    sensitivity: float = option(
        0.6,
        "How faint a nucleus may be: 0 as bright as the typical one, 1 as dark as the background.",
        ge=0,
        le=1,
    )
    edge: float = option(
        0.04,
        "How much brighter than its surroundings a pixel must be, as a share of the contrast of nuclei. More makes"
        " nuclei smaller and drops weak ones.",
        ge=0,
        le=1,
    )
    min_area_um2: float | None = option(
        None,
        "Nuclei smaller than this are dropped, in volumes smaller than the ball with this section; null for a"
        " twentieth of the typical nucleus's volume.",
        unit="um2",
        ge=0,
        le=10_000,
    )

    @model_validator(mode="before")
    @classmethod
    def _smallest(cls, given: Any) -> Any:
        """The smallest area where none is given, so that plans and records show what was used."""
        if not isinstance(given, dict) or given.get("min_area_um2") is not None:
            return given
        diameter = given.get("nucleus_diameter_um", 8.0)
        if not isinstance(diameter, int | float) or isinstance(diameter, bool):
            return given
        section = pi / 4 * float(diameter) ** 2
        return given | {"min_area_um2": round(section * _SMALLEST, 2)}


class LabelsOptions(Section):
    """What is known of imported labels."""

    show: Literal["auto", "nuclei", "cells"] = option(
        "auto",
        "What imported labels show: `nuclei` are grown by `cells.expand_um`, `cells` are kept as they are. `auto` takes"
        " the vendor's own outlines for cells and a label image of the sample sheet for nuclei.",
    )


class SegmentationOptions(Section):
    """How nuclei are found."""

    method: Literal["basins", "blobs", "labels"] = option(
        "basins",
        "`basins` finds nuclei by their outlines, `blobs` round ones in noise and in volumes; `labels` imports the"
        " label image named in the sample sheet, else the vendor's own cells. Column `segmentation` of the sample sheet"
        " names another one for a sample.",
    )
    basins: BasinsOptions = option(BasinsOptions(), "Options of the method `basins`.")
    blobs: BlobsOptions = option(BlobsOptions(), "Options of the method `blobs`.")
    labels: LabelsOptions = option(LabelsOptions(), "Options of the method `labels`.")


def needs_gpu(method: str) -> bool:
    """Whether each worker of a segmentation method must have a GPU."""
    field = SegmentationOptions.model_fields.get(method)
    options = field.annotation if field else None
    return isinstance(options, type) and issubclass(options, LandscapeOptions) and options.needs_gpu
