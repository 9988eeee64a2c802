"""Imaging mass cytometry: text exports (.txt) and raw files (.mcd) of the Hyperion, read with readimc.

Layouts: one row a pixel with Start_push, End_push, Pushes_duration, X, Y, Z and a column a channel, `label(Metal...)`;
.mcd as in readimc, doi:10.1038/s41596-023-00881-0. Row 0 is on top, X is the column. Channels are called by metal and
mass (`Yb172`), as in the panels of steinbock. Values are dual counts in floating point and are stored in steps, see
`isthmus.image.steps`. Text exports are tested on real files, .mcd on files written after the layout only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.description import ImageDescription, unique_names
from isthmus.image.source import SampleParts, Window, all_tested
from isthmus.image.steps import in_steps
from isthmus.readers.label_images import labels_of
from isthmus.readers.place import place, required_image

Float32 = npt.NDArray[np.float32]

SUFFIXES = (".txt", ".mcd")
STEPS_PER_UNIT = 100.0
"""Steps of a count in which values are stored where the configuration names none: to a hundredth."""
_TEXT_MB = 12 / (1 << 20)
"""Of a text, a value and pixel: 4 bytes when it has been read, 2.7 times as much before."""
RASTER_UM = 1.0
"""Distance of laser shots, of which text exports say nothing."""

_PUSHES = ("Start_push", "End_push", "Pushes_duration", "X", "Y", "Z")


def read_imc(sample: Sample) -> SampleParts:
    """Read one acquisition of imaging mass cytometry."""
    path = required_image(sample)
    where = f"{sample.where}, image '{path}'"
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise UserError(where=where, found="this is no .txt or .mcd file", do="name one acquisition's file")
    is_text = path.suffix.lower() == ".txt"
    image = _describe_text(path, where) if is_text else _describe_mcd(path, sample.acquisition, where)
    steps = sample.steps_per_unit or STEPS_PER_UNIT
    image = in_steps(image, steps, where=where)
    notes = [f"values are counts in floating point, stored in steps of 1/{steps:g} of a count"]
    if is_text and not sample.pixel_size_um and not sample.affine:
        notes.append(f"text exports say nothing of the pixel size: {RASTER_UM:g} um is taken")
    part = image.part(place(sample, image))
    labels = labels_of(sample, part)
    return SampleParts(
        reader=f"imc ({image.format})",
        image=part,
        labels=labels,
        tested_on_real_files=is_text and all_tested(labels),
        notes=tuple(notes),
    )


class ImcSource:
    """Pixels of one acquisition; a text is read as a whole when the first of them are asked for."""

    def __init__(self, path: Path, acquisition: int | None, where: str) -> None:
        self._path, self._acquisition, self._where = path, acquisition, where

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z = 1, y, x) of one channel, float32."""
        _, y, x = window
        if self._acquisition is None:
            pixels: Float32 = _text_pixels(self._path, self._where)[channel, y, x]
            return pixels[np.newaxis]
        with _reading(self._where), _mcd(self._path) as file:
            region = (x.start, y.start, x.stop, y.stop)
            acquisition = _acquisitions(file)[self._acquisition]
            found: Float32 = file.read_acquisition(acquisition, channels=[channel], region=region)
            return found


def _describe_text(path: Path, where: str) -> ImageDescription:
    from readimc import TXTFile

    with path.open(encoding="utf-8", errors="replace") as stream:
        columns = stream.readline().rstrip("\r\n").split("\t")
    for column in _PUSHES:
        if column not in columns[: len(_PUSHES)]:
            found = f"no column '{column}' among the first six ({', '.join(columns[:6])[:80]})"
            raise UserError(where=where, found=found, do="export the acquisition as text again")
    with _reading(where), _opened(TXTFile(path)) as file:
        names = list(file.channel_names)
    width, height = _extent(path, where)
    return _description(path, None, names, (height, width), RASTER_UM, "text", where)


def _describe_mcd(path: Path, wanted: str | None, where: str) -> ImageDescription:
    with _reading(where), _mcd(path) as file:
        found = _acquisitions(file)
        number = _chosen(found, wanted, where)
        acquisition = found[number]
        width, height = (int(acquisition.metadata[key]) for key in ("MaxX", "MaxY"))
        held = _pixels_held(acquisition)
        names = list(acquisition.channel_names)
        size_um = float(acquisition.metadata.get("AblationDistanceBetweenShotsX") or RASTER_UM)
    if held != width * height:
        raise _incomplete(where, held, width, height)
    return _description(path, number, names, (height, width), size_um, "mcd", where)


def _description(
    path: Path,
    acquisition: int | None,
    names: list[str],
    shape: tuple[int, int],
    size_um: float,
    kind: str,
    where: str,
) -> ImageDescription:
    return ImageDescription(
        shape=(len(names), 1, *shape),
        dtype="float32",
        channels=unique_names(list(names), len(names)),
        pixel_size_um=(size_um, size_um),
        z_step_um=None,
        origin_um=(0.0, 0.0),
        open=partial(ImcSource, path, acquisition, where),
        files=(path,),
        format=kind,
        inside="" if acquisition is None else f"acquisition {acquisition}",
        held_mb=_TEXT_MB * len(names) * shape[0] * shape[1] if acquisition is None else 0.0,
    )


def _extent(path: Path, where: str) -> tuple[int, int]:
    """Width and height of a text's raster, from its first rows and its last one."""
    width = 0
    with path.open(encoding="utf-8", errors="replace") as stream:
        stream.readline()
        for line in stream:
            x, y = _place(line, where)
            if y > 0:
                break
            width = max(width, x + 1)
    with path.open("rb") as raw:
        raw.seek(0, 2)
        raw.seek(max(0, raw.tell() - (1 << 16)))
        last = [line for line in raw.read().decode("utf-8", "replace").splitlines() if line.strip()][-1]
    if not width:
        raise UserError(where=where, found="the file holds no pixel", do="export the acquisition again")
    return width, _place(last, where)[1] + 1


def _place(line: str, where: str) -> tuple[int, int]:
    cells = line.split("\t")
    try:
        return int(float(cells[3])), int(float(cells[4]))
    except (IndexError, ValueError):
        found = f"a row without X and Y ('{line.strip()[:40]}')"
        raise UserError(where=where, found=found, do="copy the file again from its source") from None


@lru_cache(maxsize=1)
def _text_pixels(path: Path, where: str) -> Float32:
    """All pixels (c, y, x) of a text: rows are as long as the file has channels, so none can be read alone."""
    from readimc import TXTFile

    width, height = _extent(path, where)
    with _reading(where), _opened(TXTFile(path)) as file:
        pixels: Float32 = file.read_acquisition(strict=True)
    if pixels.shape[1:] != (height, width):
        raise _incomplete(where, pixels[0].size, width, height)
    return pixels


@contextmanager
def _opened(file: Any) -> Iterator[Any]:
    """A file of readimc, closed in any case; by itself it stays open when its beginning is damaged."""
    try:
        file.open()
        yield file
    finally:
        file.close()


def _mcd(path: Path) -> Any:
    from readimc import MCDFile

    return _opened(MCDFile(path))


def _acquisitions(file: Any) -> dict[int, Any]:
    """Acquisitions of all slides by their number."""
    return {acquisition.id: acquisition for slide in file.slides for acquisition in slide.acquisitions}


def _chosen(found: dict[int, Any], wanted: str | None, where: str) -> int:
    """The acquisition that the sheet names by number or description; the only one without a name."""
    known = ", ".join(f"{number} ({each.description})" for number, each in found.items())
    if wanted is None and len(found) == 1:
        return int(next(iter(found)))
    if wanted is None:
        noted = f"the file holds {len(found)} acquisitions: {known}"
        raise UserError(where=where, found=noted, do="name one of them in column acquisition")
    for number, each in found.items():
        if wanted in (str(number), each.description):
            return number
    raise UserError(where=where, found=f"there is no acquisition '{wanted}'", do=f"known are {known}")


def _pixels_held(acquisition: Any) -> int:
    meta = acquisition.metadata
    bytes_all = int(meta["DataEndOffset"]) - int(meta["DataStartOffset"])
    return bytes_all // (int(meta["ValueBytes"]) * (int(acquisition.num_channels) + 3))


def _incomplete(where: str, held: int, width: int, height: int) -> UserError:
    return UserError(
        where=where,
        found=f"the acquisition was broken off: {held:,} of {width} x {height} pixels are there",
        do="cut it to whole rows in the vendor's software, or leave it out",
    )


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """What readimc finds wrong with a file, as one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # damaged files raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(where=where, found=reason, do="copy the file again from its source") from error
