"""Where the pixels of a sample lie, from its row of the sample sheet and from the image itself."""

from __future__ import annotations

from pathlib import Path

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.description import ImageDescription


def required_image(sample: Sample) -> Path:
    """The image of a sample; fails when the row names none."""
    if sample.image is None:
        raise UserError(where=sample.where, found="column 'image' is empty", do="give the path of an image")
    return sample.image


def place(sample: Sample, image: ImageDescription) -> Affine:
    """The map from pixels to micrometres: the sample sheet first, then what the image says of itself."""
    if sample.affine is not None:
        return Affine(*sample.affine)
    size_um = (sample.pixel_size_um, sample.pixel_size_um) if sample.pixel_size_um else image.pixel_size_um
    if size_um is None:
        raise UserError(
            where=sample.where,
            found=f"image '{required_image(sample)}' does not say how large its pixels are",
            do="fill column pixel_size_um",
        )
    x_um = image.origin_um[0] if sample.origin_x_um is None else sample.origin_x_um
    y_um = image.origin_um[1] if sample.origin_y_um is None else sample.origin_y_um
    return Affine(size_um[1], 0.0, x_um, 0.0, size_um[0], y_um)


def z_step_um(sample: Sample, image: ImageDescription, vendor_um: float | None = None) -> float | None:
    """Distance of the planes: the sample sheet first, then the vendor's metadata, then the image; None for a plane."""
    step = sample.z_step_um or vendor_um or image.z_step_um
    if step is None and image.shape[1] > 1:
        n_planes = image.shape[1]
        raise UserError(
            where=sample.where,
            found=f"image '{required_image(sample)}' has {n_planes} planes and does not say how far apart they are",
            do="fill column z_step_um",
        )
    return step
