"""Pixel size, plane distance and channel names out of a TIFF's metadata.

OME-XML: Pixels and Channel of https://www.openmicroscopy.org/Schemas/Documentation/Generated/OME-2016-06/ome.html
QPTIFF: ImageDescription of each page, PerkinElmer-QPI-ImageDescription (Akoya Biosciences, QPTIFF file format).
ImageJ: its description lines `unit` and `spacing`, with pixels per unit in the resolution tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import tifffile

from isthmus.image.description import in_micrometres

_CENTIMETER = 3  # TIFF 6.0, ResolutionUnit


@dataclass(frozen=True)
class TiffFacts:
    """What the metadata say; pixel_size_um is (y, x)."""

    format: str
    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    channels: tuple[str | None, ...] = ()


def tiff_facts(tif: tifffile.TiffFile) -> TiffFacts:
    """Read the facts of the first image of an open TIFF file."""
    if tif.is_ome and tif.ome_metadata:
        return _from_ome(tif.ome_metadata)
    if tif.is_qpi:
        return TiffFacts("QPTIFF", _from_tags(tif, unit="cm", needs=_CENTIMETER), None, _qpi_names(tif))
    if tif.is_imagej and tif.imagej_metadata:
        return _from_imagej(tif, tif.imagej_metadata)
    return TiffFacts("TIFF", _from_tags(tif, unit="cm", needs=_CENTIMETER))


def _qpi_names(tif: tifffile.TiffFile) -> tuple[str | None, ...]:
    """Names of a QPTIFF's channels, from the XML of each page: the biomarker where it is filled, else the fluor."""
    names: list[str | None] = []
    for page in tif.series[0].levels[0].pages:
        # the declaration says utf-16, the bytes are others
        text = getattr(page, "description", "").partition("?>")[2]
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            names.append(None)
            continue
        # other elements of these names lie deeper and belong to the scan profile
        found = (root.findtext(name, "").strip() for name in ("Biomarker", "Name"))
        names.append(next((name for name in found if name), None))
    return tuple(names)


def _from_ome(xml: str) -> TiffFacts:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return TiffFacts("OME-TIFF")
    pixels = next(_named(root, "Pixels"), None)
    if pixels is None:
        return TiffFacts("OME-TIFF")
    x_um, y_um, z_um = (_ome_length(pixels, f"PhysicalSize{axis}") for axis in "XYZ")
    names: list[str | None] = []
    for channel in _named(pixels, "Channel"):
        samples = int(channel.get("SamplesPerPixel", "1"))
        name = channel.get("Name")
        names += [name] if samples == 1 else [f"{name or 'channel'}_{sample}" for sample in range(samples)]
    size = (y_um, x_um) if x_um and y_um else None
    return TiffFacts("OME-TIFF", size, z_um, tuple(names))


def _named(root: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Elements of that name in any version of the OME namespace."""
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == name)


def _ome_length(pixels: ElementTree.Element, key: str) -> float | None:
    try:
        value = float(pixels.get(key, "nan"))
    except ValueError:
        return None
    return in_micrometres(value, pixels.get(f"{key}Unit", "µm"))


def _from_imagej(tif: tifffile.TiffFile, facts: dict[str, Any]) -> TiffFacts:
    unit = str(facts.get("unit", ""))
    spacing = facts.get("spacing")
    z_um = in_micrometres(float(spacing), unit) if isinstance(spacing, int | float) else None
    # ImageJ's labels name slices, not channels, unless there is one slice only.
    labels = facts.get("Labels") if facts.get("slices", 1) == 1 else None
    names = tuple(str(label) for label in labels) if isinstance(labels, list | tuple) else ()
    return TiffFacts("ImageJ TIFF", _from_tags(tif, unit=unit), z_um, names)


def _from_tags(tif: tifffile.TiffFile, *, unit: str, needs: int | None = None) -> tuple[float, float] | None:
    """Pixel size (y, x) from the resolution tags.

    Without ImageJ's unit only pixels per centimetre count: microscopes write those, while "72 per inch" is
    what any photo editor writes and says nothing of the specimen.
    """
    tags = tif.pages[0].tags
    if needs is not None and (296 not in tags or int(tags[296].value) != needs):
        return None
    sizes: list[float] = []
    for code in (283, 282):
        value = tags[code].value if code in tags else (0, 1)
        size = in_micrometres(value[1] / value[0], unit) if value[0] else None
        if size is None:
            return None
        sizes.append(size)
    return (sizes[0], sizes[1])
