"""Many images as one sample: plates and series of OME-Zarr, and folders of image files.

Tested on real files: folders of TIFF files. OME-Zarr plates and series were read as this package and the validators of
the format have them, none from a microscope.

Layouts: `plate` and `well` of OME-Zarr 0.4 and 0.5 (https://ngff.openmicroscopy.org/0.5/#hcs-layout), and what
bioformats2raw writes of files with several images (https://ngff.openmicroscopy.org/0.5/#bf2raw). A folder of files is
one image a file, named by the file; what its name says is nobody's convention and is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.description import ImageDescription
from isthmus.image.open import open_image
from isthmus.image.slices import slice_files
from isthmus.image.source import ImagePart, Layout, NamedImage, SampleParts, all_tested
from isthmus.image.zarr_in import ome_attributes
from isthmus.readers.label_images import read_labels
from isthmus.readers.place import place, required_image, z_step_um

Found = tuple[str, str, Path, dict[str, str]]
"""An image among several: path in the store, name, file, columns."""


def find_image_set(sample: Sample) -> tuple[Layout, list[Found]] | None:
    """The images of a sample whose column `image` names several; None where it names one."""
    folder = sample.image
    if folder is None or not folder.is_dir():
        return None
    ome = ome_attributes(folder)
    if ome is None:
        return None
    if "plate" in ome:
        return "plate", list(_fields(folder, ome["plate"], sample.where))
    names = _series(folder, ome)
    if len(names) > 1:
        return "series", [(_stored_name(name), name, folder / name, {}) for name in names]
    return None


def read_images(sample: Sample) -> SampleParts:
    """Read a folder of image files, one image a file, or an OME-Zarr of several images."""
    folder = required_image(sample)
    several = find_image_set(sample) or _files(folder)
    if several is None:
        raise UserError(
            where=sample.where,
            found=f"'{folder}' holds no TIFF files",
            do="name a folder with one image a file, an OME-Zarr plate or an OME-Zarr series",
        )
    return read_image_set(sample, *several)


def _files(folder: Path) -> tuple[Layout, list[Found]] | None:
    """A folder of image files, in natural order; None where there are none."""
    files = slice_files(folder) if folder.is_dir() else []
    return ("series", [(*_file_name(path), path, {}) for path in files]) if files else None


def read_image_set(sample: Sample, layout: Layout, found: Sequence[Found]) -> SampleParts:
    """The parts of a sample of many images; column `labels` names label images that lie as they do."""
    if sample.transcripts is not None:
        raise UserError(
            where=f"{sample.where}, column transcripts",
            found="transcripts beside many images: nothing says in which image each lies",
            do="make one sample an image, or leave the column empty",
        )
    images, formats = [], set()
    for path, name, file, columns in found:
        image = open_image(file, where=f"{sample.where}, image {name}", fractions=True)
        formats.add(image.format)
        part = _part(sample, image, len(found) > 1)
        images.append(NamedImage(path, name, part, columns))
    what = "plate" if layout == "plate" else f"{len(images)} images"
    images = with_labels(images, sample)
    reader = f"generic ({', '.join(sorted(formats))}, {what})"
    is_files = not any(name.startswith("OME-Zarr") for name in formats)
    return many_images(images, layout, reader=reader, tested_on_real_files=is_files)


def many_images(
    images: Sequence[NamedImage],
    layout: Layout,
    *,
    reader: str,
    notes: tuple[str, ...] = (),
    tested_on_real_files: bool,
) -> SampleParts:
    """The parts of a sample of these images; its own header has the largest shape."""
    largest = max(images, key=lambda image: prod(image.part.header.shape)).part
    shapes = [image.part.header.shape for image in images]
    c, z, y, x = (max(sizes) for sizes in zip(*shapes, strict=True))
    header = replace(images[0].part.header, shape=(c, z, y, x))
    parts = [image.part for image in images]
    labels = [image.labels for image in images if image.labels is not None]
    label_files = tuple(dict.fromkeys(file for part in labels for file in part.files))
    files = tuple(dict.fromkeys(file for image in images for file in image.part.files))
    return SampleParts(
        reader=reader,
        image=ImagePart(header, largest.open, files, held_mb=max(part.held_mb for part in parts)),
        labels=replace(labels[0], files=label_files) if labels else None,
        notes=notes,
        tested_on_real_files=tested_on_real_files and all_tested(*parts, *labels),
        images=tuple(images),
        layout=layout,
    )


def _part(sample: Sample, image: ImageDescription, is_one_of_many: bool) -> ImagePart:
    if is_one_of_many and (sample.affine or sample.origin_x_um or sample.origin_y_um):
        raise UserError(
            where=sample.where,
            found="an origin or affine for a sample of many images, which would all lie in one place",
            do="leave these columns empty; pixel_size_um holds for all images",
        )
    return image.part(place(sample, image), z_step_um(sample, image))


def with_labels(images: Sequence[NamedImage], sample: Sample) -> list[NamedImage]:
    """The images with their label images: those of the same path or name in what column `labels` names."""
    if sample.labels is None:
        return list(images)
    where = f"{sample.where}, column labels"
    several = find_image_set(sample.model_copy(update={"image": sample.labels})) or _files(sample.labels)
    if several is None:
        raise UserError(
            where=where,
            found=f"'{sample.labels}' is no set of label images, and the sample has {len(images)} images",
            do="name a folder of TIFF files called as the images are, or an OME-Zarr laid out as theirs",
        )
    found = {key: file for path, name, file, _ in several[1] for key in (path, name)}
    missing = [image.name for image in images if not {image.path, image.name} & found.keys()]
    if missing:
        raise UserError(
            where=where,
            found=f"'{sample.labels}' has no label image of image {missing[0]}"
            + (f" (nor of {len(missing) - 1} others)" if len(missing) > 1 else ""),
            do="give each image a label image of its name",
        )
    files = [found.get(image.path) or found[image.name] for image in images]
    return [
        replace(image, labels=read_labels(file, image.part, where=f"{where}, image {image.name}"))
        for image, file in zip(images, files, strict=True)
    ]


def _file_name(path: Path) -> tuple[str, str]:
    name = re.sub(r"(\.ome)?\.tiff?$", "", path.name, flags=re.IGNORECASE)
    return _stored_name(name), name


def _stored_name(name: str) -> str:
    """A name that may be a folder."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def _fields(folder: Path, plate: Mapping[str, Any], where: str) -> Any:
    """Fields of the wells, in the order of the plate."""
    try:
        wells = [str(well["path"]) for well in plate["wells"]]
    except (KeyError, TypeError) as error:
        raise UserError(
            where=f"{where}, plate '{folder}'",
            found="its metadata list no wells",
            do="copy it again from its source",
        ) from error
    for well in sorted(wells, key=_well_order):
        attributes = ome_attributes(folder / well)
        if attributes is None:
            raise UserError(
                where=f"{where}, plate '{folder}'",
                found=f"well {well} is in its metadata, but there is no such folder",
                do="copy it again, whole, or take the well out of the metadata",
            )
        row, _, column = well.partition("/")
        for listed in attributes.get("well", {}).get("images", []):
            name = str(listed["path"])
            called = f"{row}{column}"
            columns = {"well": called, "row": row, "column": column, "field": name}
            yield f"{well}/{name}", f"{called}-{name}", folder / well / name, columns


def _well_order(well: str) -> tuple[int, str, int, str]:
    row, _, column = well.partition("/")
    return len(row), row, len(column), column


def _series(folder: Path, ome: Mapping[str, Any]) -> list[str]:
    """Images that lie one beside the other."""
    if "multiscales" in ome or "bioformats2raw.layout" not in ome:
        return []
    listed = (ome_attributes(folder / "OME") or {}).get("series")
    if listed:
        return [str(name) for name in listed]
    return sorted((path.name for path in folder.iterdir() if path.name.isdigit()), key=int)
