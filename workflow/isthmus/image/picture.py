"""Small colour pictures (PNG, JPEG), as Space Ranger writes them; decoded whole, so large ones are refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from isthmus.errors import UserError
from isthmus.image.array_source import ArraySource
from isthmus.image.description import ImageDescription
from isthmus.image.source import PixelSource

MAGIC = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG"}
MOST_PIXELS = 64_000_000
"""Larger ones take more memory than a block may; tiled TIFF is for those."""

_CHANNELS = ("red", "green", "blue")


def is_picture(magic: bytes) -> bool:
    """Whether a file that begins so is a picture."""
    return any(magic.startswith(known) for known in MAGIC)


def describe_picture(path: Path, *, where: str) -> ImageDescription:
    """Describe a picture; pixels are red, green and blue whatever the file holds."""
    try:
        with Image.open(path) as picture:
            width, height, kind = *picture.size, str(picture.format)
            if width * height <= MOST_PIXELS:
                picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        found = f"the picture is damaged or cut short ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error
    if width * height > MOST_PIXELS:
        found = f"a {kind} of {width} x {height} pixels can only be decoded whole"
        raise UserError(where=where, found=found, do="save it as tiled TIFF")
    return ImageDescription(
        shape=(3, 1, height, width),
        dtype="uint8",
        channels=_CHANNELS,
        pixel_size_um=None,
        z_step_um=None,
        origin_um=(0.0, 0.0),
        open=partial(open_picture, path),
        files=(path,),
        format=kind,
    )


def open_picture(path: Path) -> PixelSource:
    """Decode a picture."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return ArraySource(pixels, "yxs", path)
