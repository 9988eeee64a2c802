"""A folder of TIFF slices as one volume: a file a plane, in the natural order of their names (z2 before z10)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.errors import UserError
from isthmus.image.description import ImageDescription
from isthmus.image.source import PixelSource, Window
from isthmus.image.tiff import describe_tiff

SUFFIXES = (".tif", ".tiff")
_NUMBER = re.compile(r"(\d+)")


def slice_files(folder: Path) -> list[Path]:
    """The TIFF files of a folder in natural order; hidden ones are no slices."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file() and p.name[0] != "."]
    return sorted(files, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts numbers in names by their value."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in _NUMBER.split(name) if part
    ]


def describe_slices(folder: Path, *, where: str, fractions: bool) -> ImageDescription:
    """Describe the slices of a folder as one volume (see `open_image`)."""
    files = slice_files(folder)
    _check_numbers(files, where)
    first, *others = (
        describe_tiff(path, level=0, where=f"{where}, slice '{path.name}'", fractions=fractions, pages="c")
        for path in files
    )
    if first.shape[1] > 1:
        found = f"slice '{files[0].name}' has {first.shape[1]} planes of its own"
        raise UserError(where=where, found=found, do="name that file, or give a folder of single planes")
    for path, other in zip(files[1:], others, strict=True):
        if (other.shape, other.dtype) != (first.shape, first.dtype):
            ours, theirs = (_kind(each) for each in (first, other))
            found = f"slice '{path.name}' has {theirs}, the first {ours}"
            raise UserError(where=where, found=found, do="keep slices of one image only in the folder")
    c, _, y, x = first.shape
    return replace(
        first,
        shape=(c, len(files), y, x),
        open=partial(SliceSource, tuple(part.open for part in (first, *others))),
        files=tuple(files),
        format=f"{len(files)} slices, {first.format}",
    )


class SliceSource:
    """Planes that are opened one at a time, when they are read."""

    def __init__(self, planes: Sequence[Callable[[], PixelSource]]) -> None:
        self._planes = planes

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel; of each slice only what the window touches is decoded."""
        z, y, x = window
        only = (slice(0, 1), y, x)
        return np.concatenate([plane().read(channel, only) for plane in self._planes[z]])


def _kind(part: ImageDescription) -> str:
    c, _, y, x = part.shape
    return f"{c} x {y} x {x} pixels (c, y, x) of {part.dtype}"


def _check_numbers(files: Sequence[Path], where: str) -> None:
    """Fail when the last numbers in the names leave some out: a slice that is missing shifts all that follow."""
    found = [_NUMBER.findall(path.stem) for path in files]
    if not all(found) or len({len(numbers) for numbers in found}) > 1:
        return
    if len({tuple(numbers[:-1]) for numbers in found}) > 1:
        return
    numbers = [int(each[-1]) for each in found]
    steps = {b - a for a, b in pairwise(numbers)}
    if len(steps) < 2:
        return
    step = min(steps)
    absent = [n for a, b in pairwise(numbers) for n in range(a + step, b, step)]
    shown = ", ".join(map(str, absent[:5])) + (", ..." if len(absent) > 5 else "")
    raise UserError(
        where=where,
        found=f"of its {len(files)} slices the numbers {shown} are missing",
        do="copy the missing slices, or number those there are without gaps",
    )
