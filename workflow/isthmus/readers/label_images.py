"""Label images: one channel of whole numbers, of the size of the image that they belong to."""

from __future__ import annotations

from pathlib import Path

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.description import ImageDescription
from isthmus.image.open import open_image
from isthmus.image.source import ImagePart
from isthmus.image.tiff import Pages


def labels_of(sample: Sample, image: ImagePart) -> ImagePart | None:
    """The label image that a row names; None where it names none."""
    if sample.labels is None:
        return None
    # Pages without names are planes where the sheet says how far apart they are.
    pages: Pages = "z" if sample.z_step_um else "c"
    return read_labels(sample.labels, image, where=f"{sample.where}, column labels", pages=pages)


def read_labels(path: Path, image: ImagePart, *, where: str, pages: Pages = "c") -> ImagePart:
    """A label image: one channel of integers with the image's spatial shape."""
    inside = path / "labels"
    if inside.is_dir():
        raise UserError(
            where=where,
            found=f"'{path}' is an image, which has label images inside",
            do=f"name one of them, for example '{inside / 'nuclei'}'",
        )
    labels = open_image(path, where=where, pages=pages)
    _check_shape(path, labels, image, where)
    return labels.part(image.header.affine, image.header.z_step_um)


def _check_shape(path: Path, labels: ImageDescription, image: ImagePart, where: str) -> None:
    if labels.shape[0] != 1:
        raise UserError(
            where=where,
            found=f"label image '{path}' has {labels.shape[0]} channels",
            do="give a label image of one channel",
        )
    if labels.shape[1:] != image.header.shape[1:]:
        theirs, ours = (" x ".join(map(str, shape[1:])) for shape in (labels.shape, image.header.shape))
        raise UserError(
            where=where,
            found=f"label image '{path}' has {theirs} pixels (z, y, x), the image {ours}",
            do="give a label image of the same size as the image",
        )
