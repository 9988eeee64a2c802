"""Open an image file or store, whatever its format."""

from __future__ import annotations

from pathlib import Path

from isthmus.errors import UserError
from isthmus.image.description import ImageDescription
from isthmus.image.tiff import describe_tiff
from isthmus.image.zarr_in import describe_zarr

# The first bytes of TIFF and BigTIFF, little and big endian.
TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
ACCEPTED = "TIFF, OME-TIFF and OME-Zarr (0.4, 0.5) are read"


def open_image(path: Path, *, level: int = 0, where: str = "") -> ImageDescription:
    """Describe an image from its headers; no pixel is read.

    Parameters
    ----------
    path
        A TIFF or OME-TIFF file (of a multi-file OME-TIFF one that holds the metadata), or the folder of an
        OME-Zarr image.
    level
        Level of the pyramid, 0 = full resolution.
    where
        What an error message starts with, for example the row of the sample sheet that names the image.
    """
    where = f"{where}, image '{path}'" if where else f"image '{path}'"
    if not path.exists():
        raise UserError(where=where, found="there is no such file or folder", do="correct the path")
    if path.is_dir():
        return describe_zarr(path, level=level, where=where)
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise UserError(
            where=where, found=f"it cannot be read ({error.strerror})", do="check permissions"
        ) from error
    if not magic:
        raise UserError(where=where, found="the file is empty", do="copy it again from its source")
    if magic not in TIFF_MAGIC:
        raise UserError(
            where=where, found="this is not an image that Isthmus reads", do=f"convert it: {ACCEPTED}"
        )
    return describe_tiff(path, level=level, where=where)
