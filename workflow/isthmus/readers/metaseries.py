"""What MetaXpress and MetaMorph note in a TIFF: the XML of MetaSeries in its image description.

Read as found in real files (plates of MetaXpress 6.7); the vendor publishes no description of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from isthmus.errors import UserError
from isthmus.image.description import in_micrometres


@dataclass(frozen=True)
class MetaSeries:
    """shape is (y, x), pixel_size_um (y, x); stage_um (x, y) is where the field's middle lies on the stage."""

    shape: tuple[int, int]
    dtype: str
    pixel_size_um: tuple[float, float] | None
    stage_um: tuple[float, float] | None
    z_um: float | None
    name: str
    is_thumbnail: bool


def read_metaseries(path: Path, where: str) -> MetaSeries:
    """Read a file's header; UserError if it is no TIFF of one plane, or is damaged."""
    try:
        with tifffile.TiffFile(path) as tif:
            page = tif.pages[0]
            shape, dtype, text = page.shape, page.dtype, page.description
            end = max(a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=True))
            size = path.stat().st_size
    except Exception as error:  # a damaged table of contents can raise anything
        raise UserError(
            where=f"{where}, file '{path.name}'",
            found=f"the TIFF is damaged or cut short ({type(error).__name__}: {error})",
            do="copy it again from its source",
        ) from error
    if len(shape) != 2 or dtype is None or size < end:
        found = f"it has dimensions {shape}" if size >= end else f"it is cut short: {size} bytes of {end}"
        raise UserError(where=f"{where}, file '{path.name}'", found=found, do="copy it again from its source")
    fields = _fields(text)
    unit = fields.get("spatial-calibration-units", "um")
    y_um, x_um = (in_micrometres(_number(fields.get(f"spatial-calibration-{axis}")), unit) for axis in "yx")
    stage = [_number(fields.get(f"stage-position-{axis}")) for axis in "xy"]
    return MetaSeries(
        shape=(int(shape[0]), int(shape[1])),
        dtype=str(dtype.newbyteorder("=")),
        pixel_size_um=(y_um, x_um) if y_um and x_um else None,
        stage_um=(stage[0], stage[1]) if stage[0] is not None and stage[1] is not None else None,
        z_um=_number(fields.get("z-position")),
        name=fields.get("_IllumSetting_", ""),
        is_thumbnail=fields.get("image-name", "").startswith("HTSThumb"),
    )


def _fields(text: str) -> dict[str, str]:
    if "<MetaData>" not in text:
        return {}
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return {}
    return {str(prop.get("id")): str(prop.get("value")) for prop in root.iter("prop")}


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
