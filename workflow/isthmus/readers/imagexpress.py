"""Plates of Molecular Devices ImageXpress: folders of TIFF files, one a field, wavelength and plane.

Tested on real files: an exported plate (TimePoint_1/ZStep_k, with its HTD file) and a folder of the database (a plate,
a date, a number, ZStep_k, with thumbnails and unique names).

Layout, as found in these: `<plate>_<well>_s<site>_w<wavelength>.TIF`, with `_thumb` for thumbnails and 36 characters
that make names unique. Planes lie in folders ZStep_1, ZStep_2, ...; projections in ZStep_0, or beside these folders.
A wavelength may have planes and a projection, either, or the same picture in each folder.

Coordinates: micrometres of the stage; its position is taken as the middle of the field. x grows to the right (fields
that overlap show it); that y grows downwards no real file has shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.description import unique_names
from isthmus.image.field_files import FieldFiles, Joined
from isthmus.image.source import ImageHeader, ImagePart, NamedImage, SampleParts
from isthmus.readers.image_sets import many_images, with_labels
from isthmus.readers.imagexpress_htd import Htd, find_htd
from isthmus.readers.metaseries import MetaSeries, read_metaseries
from isthmus.readers.place import required_image
from isthmus.readers.signs import IMAGEXPRESS_NAME, IMAGEXPRESS_STEP

_SMALL = 0.98
"""A file smaller than this share of the largest is looked at: it may be cut short."""

Field = tuple[str, int]
"""Well and site."""


@dataclass(frozen=True)
class Plate:
    """Files of a plate by field, wavelength and step of z; step 0 is a projection, or a picture without planes."""

    folder: Path
    files: Mapping[Field, Mapping[int, Mapping[int, Path]]]
    n_thumbnails: int


def read_imagexpress(sample: Sample) -> SampleParts:
    """Read a plate named by column `image`; by default its planes are the vendor's projection (`image.z`)."""
    folder = required_image(sample)
    where = f"{sample.where}, plate '{folder}'"
    plate = _find(folder, where)
    htd = find_htd(plate.folder, folder)
    fields = sorted(plate.files, key=_order)
    waves = sorted(plate.files[fields[0]])
    _check_complete(plate, htd, waves, where)
    how, plane = _how(sample, where)
    chosen = {
        field: tuple(_planes(plate.files[field][wave], how, plane, where) for wave in waves)
        for field in fields
    }
    _check_sizes(chosen, where)
    heads = {
        field: read_metaseries(files[0][0], f"{where}, field {_name(field)}")
        for field, files in chosen.items()
    }
    names = _channels(plate, htd, fields[0], waves, where)
    images = [_image(sample, field, chosen[field], heads[field], names, how, where) for field in fields]
    return many_images(
        with_labels(images, sample),
        "plate",
        reader="imagexpress",
        tested_on_real_files=True,
        notes=_notes(plate, htd, waves, how, plane, heads[fields[0]]),
    )


def _find(folder: Path, where: str) -> Plate:
    """The pictures below a folder, which must belong to one acquisition."""
    found: dict[Path, dict[Field, dict[int, dict[int, Path]]]] = {}
    n_thumbnails = 0
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        match = IMAGEXPRESS_NAME.fullmatch(path.name)
        if match is None or path.name.startswith("."):
            continue
        if match["thumb"]:
            n_thumbnails += 1
            continue
        step = IMAGEXPRESS_STEP.fullmatch(path.parent.name)
        home = path.parent.parent if step else path.parent
        field = (match["well"].upper(), int(match["site"] or 1))
        wave = found.setdefault(home, {}).setdefault(field, {}).setdefault(int(match["wave"] or 1), {})
        number = int(step[1]) if step else 0
        if number in wave:
            raise UserError(
                where=f"{where}, field {_name(field)}",
                found=f"'{wave[number].name}' and '{path.name}' are one picture twice",
                do="keep one of them",
            )
        wave[number] = path
    if not found:
        raise UserError(
            where=where,
            found="there are no files named <plate>_<well>_s<site>_w<wavelength>.TIF",
            do="name the folder of a plate of ImageXpress",
        )
    if len(found) > 1:
        names = ", ".join(sorted(str(home.relative_to(folder)) for home in found)[:4])
        raise UserError(
            where=where,
            found=f"it holds {len(found)} acquisitions or time points ({names})",
            do="name the folder of one of them; each can be a sample",
        )
    ((home, files),) = found.items()
    return Plate(home, files, n_thumbnails)


def _check_complete(plate: Plate, htd: Htd | None, waves: list[int], where: str) -> None:
    """Wells that were selected must be there, and each field must have what the first has."""
    if htd is not None:
        there = {_place(well) for well, _ in plate.files}
        missing = [well for well in htd.wells if _place(well) not in there]
        if missing:
            raise UserError(
                where=where,
                found=f"well {missing[0]} was selected in '{htd.path.name}', but has no pictures"
                + (f" (nor {len(missing) - 1} others)" if len(missing) > 1 else ""),
                do="copy the plate again, whole; where these wells were never taken, take the HTD file out",
            )
    first = sorted(plate.files, key=_order)[0]
    for field, files in plate.files.items():
        wrong = [f"wavelength w{wave}" for wave in waves if wave not in files]
        wrong += [f"wavelength w{wave}" for wave in files if wave not in waves]
        if wrong:
            here, there_ = ("lacks", "has") if set(waves) - set(files) else ("has", "lacks")
            raise UserError(
                where=f"{where}, field {_name(field)}",
                found=f"it {here} {wrong[0]}, which field {_name(first)} {there_}",
                do="copy the plate again, whole, or leave the field out",
            )
        for wave in waves:
            steps, wanted = sorted(files[wave]), sorted(plate.files[first][wave])
            if steps != wanted:
                raise UserError(
                    where=f"{where}, field {_name(field)}",
                    found=f"w{wave} has the steps of z {_listed(steps)}, in field {_name(first)} {_listed(wanted)}",
                    do="copy the plate again, whole, or leave the field out",
                )


def _how(sample: Sample, where: str) -> tuple[Joined | None, int | None]:
    """How planes are joined (None: the vendor's projection), or which one is taken."""
    if isinstance(sample.z, int):
        return None, sample.z
    if sample.z in ("all", "each"):
        raise UserError(
            where=f"image.z, {where}",
            found="volumes of the fields of a plate are not made",
            do="choose auto (the vendor's projection), max, mean or the number of a plane",
        )
    if sample.z in ("max", "mean"):
        return ("max" if sample.z == "max" else "mean"), None
    return None, None


def _planes(steps: Mapping[int, Path], how: Joined | None, plane: int | None, where: str) -> tuple[Path, ...]:
    """The files of one wavelength of a field that make its picture."""
    planes = [steps[step] for step in sorted(steps) if step > 0]
    if plane is not None:
        if len(planes) < 2:  # what was taken once has no planes to choose from
            return (steps.get(0) or planes[-1],)
        if plane >= len(planes):
            found = f"plane {plane} was asked for, but there are {len(planes)}, from 0"
            raise UserError(
                where=f"image.z, {where}", found=found, do="give the number of a plane that there is"
            )
        return (planes[plane],)
    if how is not None:
        return tuple(planes) or (steps[0],)
    return (steps[0],) if 0 in steps else tuple(planes)


def _check_sizes(chosen: Mapping[Field, tuple[tuple[Path, ...], ...]], where: str) -> None:
    """Files much smaller than the largest may be cut short: their headers are read."""
    sizes = {
        path: (path.stat().st_size, field)
        for field, files in chosen.items()
        for paths in files
        for path in paths
    }
    largest = max(size for size, _ in sizes.values())
    for path, (size, field) in sizes.items():
        if size < _SMALL * largest:
            read_metaseries(path, f"{where}, field {_name(field)}")


def _channels(plate: Plate, htd: Htd | None, field: Field, waves: list[int], where: str) -> tuple[str, ...]:
    """Names of the wavelengths: those of the HTD file, else of the filters."""
    named = htd.waves if htd is not None else {}
    names: list[str | None] = []
    for wave in waves:
        path = next(iter(plate.files[field][wave].values()))
        names.append(named.get(wave) or read_metaseries(path, where).name or f"w{wave}")
    return unique_names(names, len(waves))


def _image(
    sample: Sample,
    field: Field,
    files: tuple[tuple[Path, ...], ...],
    head: MetaSeries,
    channels: tuple[str, ...],
    how: Joined | None,
    where: str,
) -> NamedImage:
    size = (sample.pixel_size_um, sample.pixel_size_um) if sample.pixel_size_um else head.pixel_size_um
    if size is None:
        raise UserError(
            where=f"{where}, field {_name(field)}",
            found=f"'{files[0][0].name}' does not say how large its pixels are",
            do="fill column pixel_size_um",
        )
    (y_um, x_um), (rows, columns) = size, head.shape
    x, y = head.stage_um or (columns * x_um / 2, rows * y_um / 2)
    affine = Affine(x_um, 0.0, x - columns * x_um / 2, 0.0, y_um, y - rows * y_um / 2)
    header = ImageHeader((len(files), 1, rows, columns), head.dtype, channels, affine)
    source = partial(FieldFiles, files, how or "max")
    part = ImagePart(header, source, tuple(path for paths in files for path in paths))
    well, site = field
    row, column = _split(well)
    about = {"well": well, "row": row, "column": column, "field": str(site)}
    return NamedImage(f"{row}/{column}/{site}", _name(field), part, about)


def _notes(
    plate: Plate, htd: Htd | None, waves: list[int], how: Joined | None, plane: int | None, head: MetaSeries
) -> tuple[str, ...]:
    first = plate.files[sorted(plate.files, key=_order)[0]]
    steps = {wave: [step for step in sorted(first[wave]) if step > 0] for wave in waves}
    deepest = max(len(planes) for planes in steps.values())
    notes = []
    if deepest:
        joined = {"max": "their maximum", "mean": "their mean"}.get(how or "", "")
        what = joined if plane is None else f"plane {plane}"
        what = what or "the instrument's projection, or the maximum of the planes where there is none"
        notes.append(f"there are up to {deepest} planes of z; used is {what} (image.z)")
    if htd is not None:
        absent = [f"w{wave} ({htd.waves[wave]})" for wave in sorted(htd.waves) if wave not in waves]
        if absent:
            notes.append(f"'{htd.path.name}' also names {', '.join(absent)}, of which there are no pictures")
        if htd.n_steps is not None and deepest and deepest < htd.n_steps:
            notes.append(f"'{htd.path.name}' speaks of {htd.n_steps} planes, there are {deepest}")
    if plate.n_thumbnails:
        notes.append(f"{plate.n_thumbnails} thumbnails are left out")
    if head.stage_um is None:
        notes.append("the files do not say where fields lie on the stage: each has its own origin")
    return tuple(notes)


def _split(well: str) -> tuple[str, str]:
    row = well.rstrip("0123456789")
    return row, well[len(row) :]


def _place(well: str) -> tuple[str, int]:
    """B2 and B02 are one well."""
    row, column = _split(well)
    return row, int(column)


def _order(field: Field) -> tuple[int, str, int, int]:
    row, column = _place(field[0])
    return len(row), row, column, field[1]


def _name(field: Field) -> str:
    return f"{field[0]}-{field[1]}"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
