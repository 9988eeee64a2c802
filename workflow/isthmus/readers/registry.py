"""Which reader reads a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from isthmus.config.panel import read_panel
from isthmus.config.samples import Sample
from isthmus.errors import UserError, did_you_mean
from isthmus.image.panel import with_panel
from isthmus.image.source import SampleParts
from isthmus.readers.heeded import check_heeded
from isthmus.readers.planes import with_planes
from isthmus.readers.signs import (
    is_cosmx_folder,
    is_imagexpress_folder,
    is_merscope_folder,
    is_spaceranger_folder,
    is_xenium_folder,
)

READERS = {
    "cosmx": "cosmx.read_cosmx",
    "generic": "generic.read_generic",
    "imc": "imc.read_imc",
    "merscope": "merscope.read_merscope",
    "imagexpress": "imagexpress.read_imagexpress",
    "images": "image_sets.read_images",
    "ome_tiff": "generic.read_generic",
    "ome_zarr": "generic.read_generic",
    "spaceranger": "spaceranger.read_spaceranger",
    "st_array": "st_array.read_st_array",
    "tiff_folder": "tiff_folder.read_tiff_folder",
    "xenium": "xenium.read_xenium",
}
"""Module and function of this room. Only the one that is used is loaded: workers would pay for all with 100 MB."""


def read_sample(sample: Sample) -> SampleParts:
    """Find the canonical parts of a sample; reads headers and the first rows of tables only."""
    name = sample.reader or detect_reader(sample)
    if name not in READERS:
        do = did_you_mean(name, READERS)
        raise UserError(where=sample.where, found=f"reader '{name}' is not known in this version", do=do)
    check_heeded(sample, name)
    return _through_panel(with_planes(_reader(name)(sample), sample), sample)


def _reader(name: str) -> Callable[[Sample], SampleParts]:
    module, function = READERS[name].split(".")
    reader: Callable[[Sample], SampleParts] = getattr(import_module(f"isthmus.readers.{module}"), function)
    return reader


def _through_panel(parts: SampleParts, sample: Sample) -> SampleParts:
    """The parts with channels named by the panel, where there is one."""
    if sample.panel is None:
        return parts
    where = f"{sample.where}, image.panel '{sample.panel}'"
    panel = read_panel(sample.panel, where=where)
    image = with_panel(parts.image, panel, where=where)
    images = (replace(each, part=with_panel(each.part, panel, where=where)) for each in parts.images)
    return replace(parts, image=image, images=tuple(images))


def detect_reader(sample: Sample) -> str:
    """The reader of a sample whose row names none."""
    if sample.counts is not None and is_spaceranger_folder(sample.counts):
        return "spaceranger"
    if sample.image is not None and is_xenium_folder(sample.image):
        return "xenium"
    if sample.image is not None and is_merscope_folder(sample.image):
        return "merscope"
    if sample.image is not None and sample.image.suffix.lower() == ".mcd":
        return "imc"
    if sample.image is not None and is_cosmx_folder(sample.image):
        return "cosmx"
    if sample.image is not None and is_imagexpress_folder(sample.image):
        return "imagexpress"
    return "generic"
