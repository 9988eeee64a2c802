"""Open an image file or store, whatever its format."""

from __future__ import annotations

from pathlib import Path

from isthmus.errors import UserError
from isthmus.image.description import ImageDescription
from isthmus.image.hdf5 import HDF5_MAGIC, describe_hdf5, split_inside
from isthmus.image.picture import describe_picture, is_picture
from isthmus.image.slices import describe_slices, slice_files
from isthmus.image.tiff import Pages, describe_tiff
from isthmus.image.zarr_in import METADATA, describe_zarr

# The first bytes of TIFF and BigTIFF, little and big endian.
TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
ACCEPTED = "TIFF, OME-TIFF, OME-Zarr (0.4, 0.5), HDF5, PNG and JPEG are read"


def open_image(
    path: Path, *, level: int = 0, where: str = "", fractions: bool = False, pages: Pages = "c"
) -> ImageDescription:
    """Describe an image from its headers; no pixel is read.

    Parameters
    ----------
    path
        A TIFF or OME-TIFF file (of a multi-file OME-TIFF one that holds the metadata), the folder of an OME-Zarr
        image, an HDF5 file or a data set in one (`stack.h5/raw`), or a folder of slices.
    level
        Level of the pyramid, 0 = full resolution.
    where
        What an error message starts with, for example the row of the sample sheet that names the image.
    fractions
        Whether pixels may be fractions; else those are an error.
    pages
        What the pages of a TIFF are that names no axes: channels ("c") or planes ("z"). A folder of slices is read
        where they are planes.
    """
    where = f"{where}, image '{path}'" if where else f"image '{path}'"
    file, inside = split_inside(path)
    if not file.exists():
        raise UserError(where=where, found="there is no such file or folder", do="correct the path")
    if path.is_dir():
        if pages == "z" and slice_files(path):
            return describe_slices(path, where=where, fractions=fractions)
        _check_no_slices(path, where)
        return describe_zarr(path, level=level, where=where, fractions=fractions)
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise UserError(
            where=where, found=f"it cannot be read ({error.strerror})", do="check permissions"
        ) from error
    if not magic:
        raise UserError(where=where, found="the file is empty", do="copy it again from its source")
    if magic == HDF5_MAGIC:
        return describe_hdf5(file, inside, where=where, fractions=fractions)
    if is_picture(magic) and not inside:
        return describe_picture(path, where=where)
    if magic not in TIFF_MAGIC or inside:
        raise UserError(
            where=where, found="this is not an image that Isthmus reads", do=f"convert it: {ACCEPTED}"
        )
    return describe_tiff(path, level=level, where=where, fractions=fractions, pages=pages)


def _check_no_slices(folder: Path, where: str) -> None:
    n_slices = len(slice_files(folder))
    if n_slices and not any((folder / name).exists() for name in METADATA):
        raise UserError(
            where=where,
            found=f"this is a folder of {n_slices} TIFF files",
            do="if they are the slices of a volume, fill column z_step_um; if each is an image, name reader images",
        )
