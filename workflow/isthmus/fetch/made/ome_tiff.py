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
    path: Path,
    pixels: npt.NDArray[np.uint16],
    *,
    channels: Sequence[str],
    pixel_size_um: float,
    z_step_um: float | None = None,
) -> None:
    """Write planes (c, y, x) or a volume (c, z, y, x) of uint16 as tiled OME-TIFF, one page a channel and plane."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n, depth, height, width = pixels.shape if pixels.ndim == 4 else (len(pixels), 1, *pixels.shape[1:])
    named = "".join(
        f'<Channel ID="Channel:0:{k}" Name={quoteattr(name)} SamplesPerPixel="1"/>'
        for k, name in enumerate(channels)
    )
    planes = "".join(
        f'<TiffData IFD="{k}" FirstC="{k // depth}" FirstT="0" FirstZ="{k % depth}"/>'
        for k in range(n * depth)
    )
    sizes = {"X": pixel_size_um, "Y": pixel_size_um} | ({"Z": z_step_um} if z_step_um else {})
    size = "".join(f' PhysicalSize{a}="{um}" PhysicalSize{a}Unit="µm"' for a, um in sizes.items())
    order = "XYCZT" if depth == 1 else "XYZCT"
    text = (
        f'{_HEAD}<Image ID="Image:0" Name={quoteattr(path.name)}><Pixels ID="Pixels:0" DimensionOrder="{order}"'
        f' Type="uint16" SizeX="{width}" SizeY="{height}" SizeC="{n}" SizeZ="{depth}" SizeT="1"{size}>'
        f"{named}{planes}</Pixels></Image></OME>"
    )
    with tifffile.TiffWriter(path, bigtiff=False, byteorder="<", ome=False) as file:
        for place, plane in enumerate(pixels.reshape(-1, height, width)):
            file.write(
                plane,
                photometric="minisblack",
                tile=(TILE_PX, TILE_PX),
                description=text.encode() if place == 0 else None,
                metadata=None,
                software="isthmus",
            )
