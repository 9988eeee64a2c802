"""TIFF, OME-TIFF and ImageJ TIFF, described from their headers and read window by window.

Layouts: TIFF 6.0 and BigTIFF, OME-TIFF with several files and sub-resolutions
(https://ome-model.readthedocs.io/en/stable/ome-tiff/specification.html), ImageJ hyperstacks. tifffile and
imagecodecs decode them.
"""

from __future__ import annotations

import struct
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
import zarr

from isthmus.errors import UserError
from isthmus.image.array_source import ArraySource, canonical_shape
from isthmus.image.description import ImageDescription, check_dtype, unique_names
from isthmus.image.source import PixelSource
from isthmus.image.tiff_metadata import TiffFacts, tiff_facts

# tifffile's letters for "some other dimension": pages without any metadata, a sequence of pages.
_STACK_AXES = "IQ"

Pages = Literal["c", "z"]
"""What pages are that no metadata name: channels or planes."""


def describe_tiff(
    path: Path, *, level: int, where: str, fractions: bool = False, pages: Pages = "c"
) -> ImageDescription:
    """Describe the first image of a TIFF file (see `open_image`)."""
    # tifffile believes what it reads, so a damaged table of contents can raise anything.
    try:
        with tifffile.TiffFile(path) as tif:
            return _describe(tif, path, level, where, fractions, pages)
    except UserError:
        raise
    except Exception as error:
        found = f"the TIFF is damaged or cut short ({type(error).__name__}: {error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error


def _describe(
    tif: tifffile.TiffFile, path: Path, level: int, where: str, fractions: bool, pages: Pages
) -> ImageDescription:
    _check_chain(tif, where)
    if not tif.series:
        raise UserError(where=where, found="the TIFF holds no image", do="copy it again from its source")
    levels = tif.series[0].levels
    if level >= len(levels):
        found = f"its last level is {len(levels) - 1}, and level {level} was asked for"
        raise UserError(where=where, found=found, do="ask for another level")
    series = levels[level]
    axes = _canonical_axes(series.axes, series.shape, where, pages)
    files = _check_pages(series, where)
    shape = canonical_shape(series.shape, axes)
    facts = tiff_facts(tif)
    size = _size_at_level(facts, levels[0], series)
    return ImageDescription(
        shape=shape,
        dtype=check_dtype(np.dtype(series.dtype), where, fractions=fractions),
        channels=unique_names(list(facts.channels), shape[0]),
        pixel_size_um=size,
        z_step_um=facts.z_step_um,
        origin_um=(0.0, 0.0),
        open=partial(open_tiff, path, level, axes),
        files=files,
        format=facts.format,
    )


def open_tiff(path: Path, level: int, axes: str) -> PixelSource:
    """Open the pixels of one level; contiguous raw data are mapped, others decoded chunk by chunk."""
    tif = tifffile.TiffFile(path)
    series = tif.series[0].levels[level]
    offset = series.dataoffset
    if offset is not None and series.keyframe.is_memmappable and not series.is_multifile:
        dtype = np.dtype(series.dtype).newbyteorder(tif.byteorder)
        tif.close()
        array = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=series.shape)
        return ArraySource(array, axes, path)
    store = series.aszarr(level=0)
    return ArraySource(zarr.open_array(store, mode="r"), axes, path, close=tif.close)


def _canonical_axes(axes: str, shape: tuple[int, ...], where: str, pages: Pages) -> str:
    """Our letters for tifffile's.

    A stack of unnamed pages is what `pages` says, or planes where channels are named.
    """
    letters = axes.lower()
    for letter, size in zip(letters, shape, strict=True):
        if letter == "t" and size > 1:
            raise UserError(
                where=where,
                found=f"it has {size} time points",
                do="save one time point a file; time is not read yet",
            )
    for stack in _STACK_AXES.lower():
        letters = letters.replace(stack, "z" if "c" in letters else pages, 1)
    # Any other dimension of length 1 says nothing; it is read at index 0, as time is.
    known = set("tczyxs")
    pairs = zip(letters, shape, strict=True)
    letters = "".join("t" if letter not in known and size == 1 else letter for letter, size in pairs)
    if set(letters) - known or len(set(letters)) < len(letters) or not {"y", "x"} <= set(letters):
        raise UserError(
            where=where,
            found=f"its dimensions are '{axes}' with sizes {' x '.join(map(str, shape))}",
            do="save it as OME-TIFF with channels, planes, rows and columns only",
        )
    return letters


def _check_chain(tif: tifffile.TiffFile, where: str) -> None:
    """Fail when the chain of pages points beyond the end of the file; tifffile would quietly end it there."""
    if tif.is_ndpi:  # stores longer offsets than the format has room for
        return
    tif.filehandle.seek(tif.pages.next_page_offset)
    last = tif.filehandle.read(tif.tiff.offsetsize)
    if len(last) < tif.tiff.offsetsize or struct.unpack(tif.tiff.offsetformat, last)[0] != 0:
        found = f"the file is cut short: its {len(tif.pages)} pages are not all"
        raise UserError(where=where, found=found, do="copy it again from its source")


def _check_pages(series: Any, where: str) -> tuple[Path, ...]:
    """The files of a series; fails if one is missing or shorter than its own table of contents says.

    Only offsets and byte counts are looked at, so this is cheap for images of any size.
    """
    pages = list(series.pages)
    if any(page is None for page in pages):
        found = f"{pages.count(None)} of its {len(pages)} planes are in files that are not there"
        do = "put all files of this multi-file OME-TIFF into one folder, under their own names"
        raise UserError(where=where, found=found, do=do)
    needed: dict[Path, int] = {}
    for page in pages:
        file = Path(page.parent.filehandle.path)
        end = max((a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)
        needed[file] = max(needed.get(file, 0), end)
    if series.dataoffset is not None and not series.is_multifile:
        first = Path(pages[0].parent.filehandle.path)
        bytes_all = int(np.prod(series.shape, dtype=np.int64)) * np.dtype(series.dtype).itemsize
        needed[first] = max(needed[first], series.dataoffset + bytes_all)
    for file, end in needed.items():
        size = file.stat().st_size
        if size < end:
            found = f"file '{file.name}' is cut short: {size} bytes, but its pixels end at byte {end}"
            raise UserError(where=where, found=found, do="copy it again from its source")
    return tuple(needed)


def _size_at_level(facts: TiffFacts, full: Any, series: Any) -> tuple[float, float] | None:
    if facts.pixel_size_um is None:
        return None
    sizes, sizes_full = (dict(zip(s.axes, s.shape, strict=True)) for s in (series, full))
    y_um, x_um = facts.pixel_size_um
    # A level's sides are rounded, so their ratio is near the factor of the pyramid, which is a whole number.
    return (y_um * round(sizes_full["Y"] / sizes["Y"]), x_um * round(sizes_full["X"] / sizes["X"]))
