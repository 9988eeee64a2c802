"""What a sample of many images must be: one kind of image throughout."""

from __future__ import annotations

import re
from collections import Counter

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import NamedImage, SampleParts

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_TAKEN = ("labels", "OME")
"""Groups that OME-Zarr gives a meaning to."""


def check_images(parts: SampleParts, sample: Sample) -> None:
    """Raise a UserError where the images of a sample are not of one kind, or transcripts have no place in them."""
    if not parts.images:
        return
    first = parts.images[0]
    for image in parts.images:
        found = _difference(first, image)
        if found:
            raise UserError(
                where=f"{sample.where}, image {image.name}",
                found=found,
                do="make samples of their own of images that differ",
            )
    _check_names(parts, sample)
    if parts.layout == "planes":
        if parts.points is not None and "z_um" not in parts.points.columns:
            raise UserError(
                where=f"image.z, {sample.where}",
                found="each plane is an image, and the transcripts have no z that tells their plane",
                do="name their column of z in quantification.columns, or give max, mean or the number of a plane",
            )
    elif parts.points is not None or sample.transcripts is not None:
        raise UserError(
            where=sample.where,
            found="transcripts beside many images: nothing says in which image each lies",
            do="make one sample an image",
        )
    if sample.structures is not None and parts.layout != "planes":
        raise UserError(
            where=f"{sample.where}, column structures",
            found="structures beside many images: nothing says in which image each lies",
            do="make one sample an image, or leave the column empty",
        )


def _difference(first: NamedImage, image: NamedImage) -> str:
    """In what an image is not like the first one; empty where it is. Sizes and places may differ."""
    one, other = first.part.header, image.part.header
    if other.channels != one.channels:
        return (
            f"it has the channels {', '.join(other.channels)}, image {first.name} {', '.join(one.channels)}"
        )
    if (other.shape[1] > 1) != (one.shape[1] > 1):
        return f"it has {other.shape[1]} planes, image {first.name} {one.shape[1]}"
    if other.dtype != one.dtype:
        return f"its pixels are of type {other.dtype}, those of image {first.name} {one.dtype}"
    if other.z_step_um != one.z_step_um or other.affine.numbers()[:2] != one.affine.numbers()[:2]:
        return f"its pixels are of another size than those of image {first.name}"
    if other.affine.numbers()[3:5] != one.affine.numbers()[3:5]:
        return f"its pixels are of another size than those of image {first.name}"
    if tuple(image.columns) != tuple(first.columns):
        return (
            f"it is described by {', '.join(image.columns)}, image {first.name} by {', '.join(first.columns)}"
        )
    return ""


def _check_names(parts: SampleParts, sample: Sample) -> None:
    """Paths and names must be fit for folders and differ, also where case does not count."""
    n_parts = 3 if parts.layout == "plate" else 1
    for image in parts.images:
        words = image.path.split("/")
        fit = len(words) == n_parts and all(_NAME.fullmatch(word) for word in words)
        if not fit or words[0] in _TAKEN:
            raise UserError(
                where=sample.where,
                found=f"image '{image.name}' cannot be stored as '{image.path}'",
                do="use letters, digits, '_', '-' and '.', beginning with a letter or digit, 100 at most",
            )
    for what in ("path", "name"):
        counts = Counter(str(getattr(image, what)).casefold() for image in parts.images)
        name, n = counts.most_common(1)[0]
        if n > 1:
            raise UserError(
                where=sample.where,
                found=f"{n} images are called '{name}'",
                do="give each image a name of its own",
            )
