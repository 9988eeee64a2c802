"""A folder with a TIFF for each channel, as MIBI and CODEX pipelines write them.

Channels are called by their files (`HH3.tif`), or by the lines of `channelnames.txt` in the folder, which then name the
files in natural order. Tested on a real MIBI field; lists of channel names on generated files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.description import ImageDescription
from isthmus.image.open import open_image
from isthmus.image.slices import slice_files
from isthmus.image.source import PixelSource, SampleParts, Window, all_tested
from isthmus.image.steps import in_steps
from isthmus.readers.label_images import labels_of
from isthmus.readers.place import place, required_image, z_step_um

NAMES = "channelnames.txt"


class FolderSource:
    """Channels in files of their own; each is opened when it is first read."""

    def __init__(self, channels: Sequence[Callable[[], PixelSource]]) -> None:
        self._channels = channels
        self._opened: dict[int, PixelSource] = {}

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel."""
        if channel not in self._opened:
            self._opened = {channel: self._channels[channel]()}
        return self._opened[channel].read(0, window)


def read_tiff_folder(sample: Sample) -> SampleParts:
    """Read a sample whose image is a folder of single-channel TIFFs."""
    folder = required_image(sample)
    where = f"{sample.where}, image '{folder}'"
    image = in_steps(_describe(folder, where), sample.steps_per_unit, where=where)
    part = image.part(place(sample, image), z_step_um(sample, image))
    n_files, labels = len(image.files), labels_of(sample, part)
    return SampleParts(
        reader=f"tiff_folder ({n_files} files, {image.format})",
        image=part,
        # No real folder had a list of names.
        tested_on_real_files=_list_of_names(folder) is None and all_tested(part, labels),
        labels=labels,
    )


def _describe(folder: Path, where: str) -> ImageDescription:
    files = slice_files(folder) if folder.is_dir() else []
    if not files:
        raise UserError(
            where=where,
            found="this is no folder with TIFF files",
            do="name the folder of the channels' files",
        )
    names = _names(folder, files, where)
    parts = [open_image(path, where=where, fractions=True) for path in files]
    first = parts[0]
    for path, part in zip(files, parts, strict=True):
        if part.shape[0] != 1:
            found = f"'{path.name}' has {part.shape[0]} channels"
            raise UserError(
                where=where, found=found, do="keep one channel a file, or name that file as image"
            )
        if part.shape != first.shape or part.dtype != first.dtype:
            found = f"'{path.name}' has {_size(part)}, '{files[0].name}' {_size(first)}"
            raise UserError(where=where, found=found, do="move files that are no channels out of the folder")
    return replace(
        first,
        shape=(len(files), *first.shape[1:]),
        channels=names,
        open=partial(FolderSource, tuple(part.open for part in parts)),
        files=tuple(file for part in parts for file in part.files),
    )


def _size(part: ImageDescription) -> str:
    return f"{part.shape[3]} x {part.shape[2]} pixels of {part.dtype}"


def _list_of_names(folder: Path) -> Path | None:
    return next((path for path in folder.iterdir() if path.name.lower() == NAMES), None)


def _names(folder: Path, files: Sequence[Path], where: str) -> tuple[str, ...]:
    stems = tuple(path.name.split(".ome.")[0].removesuffix(path.suffix) for path in files)
    listed = _list_of_names(folder)
    if listed is None:
        return stems
    names = tuple(line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip())
    if len(names) != len(files):
        found = f"{listed.name} names {len(names)} channels, and there are {len(files)} TIFF files"
        raise UserError(where=where, found=found, do="list one name a file, in the order of the files")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(
            where=where, found=f"{listed.name} names '{twice}' twice", do="give each its own name"
        )
    return names
