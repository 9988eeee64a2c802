"""Small colour pictures (PNG, JPEG), as Space Ranger writes them.

Their formats can only be decoded from the beginning, so a process that reads one holds it: large ones are refused.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from isthmus.errors import UserError
from isthmus.image.description import ImageDescription
from isthmus.image.source import PixelSource, Window

MAGIC = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG"}
MOST_PIXELS = 32_000_000
"""Four bytes a pixel are held, 128 MB in each process."""
_HELD_MB = 4 / (1 << 20)

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
        found = f"a {kind} of {width} x {height} pixels, which can only be decoded whole"
        do = f"save it as tiled TIFF; {MOST_PIXELS // 1_000_000} million pixels are the most"
        raise UserError(where=where, found=found, do=do)
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
        held_mb=_HELD_MB * width * height,
    )


def open_picture(path: Path) -> PixelSource:
    """A picture, decoded when it is first read."""
    return PictureSource(path)


class PictureSource:
    """Red, green and blue of a picture; the one that was read last stays decoded, for its format has no windows."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel, uint8; beyond the picture's, memory is that of the window."""
        z, y, x = window
        picture = _decoded(self._path, self._path.stat().st_mtime_ns)
        part = picture.crop((x.start, y.start, x.stop, y.stop)).convert("RGB")
        return np.array(part.getchannel(channel))[np.newaxis][z]


@lru_cache(maxsize=1)
def _decoded(path: Path, stamp: int) -> Image.Image:
    """A picture in memory, at most four bytes a pixel; stamp changes when the file does."""
    try:
        picture = Image.open(path)
        picture.load()  # after which the file is closed
        return picture
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(
            where=f"image '{path}'",
            found=f"the picture cannot be decoded ({error})",
            do="copy it again from its source",
        ) from error
