"""OME-TIFF whose bytes depend on the pixels only: no compression, no time stamps, no random identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import tifffile

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation='
    '"http://www.openmicroscopy.org/Schemas/OME/2016-06'
    ' http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd">'
)
TILE_PX = 256


def write_ome_tiff(
    path: Path, pixels: npt.NDArray[np.uint16], *, channels: Sequence[str], pixel_size_um: float
) -> None:
    """Write planes (c, y, x) of uint16 as tiled OME-TIFF, one page a channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n, height, width = pixels.shape
    named = "".join(
        f'<Channel ID="Channel:0:{k}" Name={quoteattr(name)} SamplesPerPixel="1"/>'
        for k, name in enumerate(channels)
    )
    planes = "".join(f'<TiffData IFD="{k}" FirstC="{k}" FirstT="0" FirstZ="0"/>' for k in range(n))
    size = "".join(f' PhysicalSize{a}="{pixel_size_um}" PhysicalSize{a}Unit="µm"' for a in "XY")
    text = (
        f'{_HEAD}<Image ID="Image:0" Name={quoteattr(path.name)}><Pixels ID="Pixels:0" DimensionOrder="XYCZT"'
        f' Type="uint16" SizeX="{width}" SizeY="{height}" SizeC="{n}" SizeZ="1" SizeT="1"{size}>'
        f"{named}{planes}</Pixels></Image></OME>"
    )
    with tifffile.TiffWriter(path, bigtiff=False, byteorder="<", ome=False) as file:
        for place, plane in enumerate(pixels):
            file.write(
                plane,
                photometric="minisblack",
                tile=(TILE_PX, TILE_PX),
                description=text.encode() if place == 0 else None,
                metadata=None,
                software="isthmus",
            )
