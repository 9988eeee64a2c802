"""The pixels in use: all of an image, or those that `image.region_um` touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, floor

import numpy as np

from isthmus.blocks.grid import Region, Triple
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader, Layout
from isthmus.plan.model import ImagePlan

RegionUm = Sequence[float]
"""x0, y0, x1, y1 in the sample's micrometres."""


def part_in_use(
    header: ImageHeader,
    images: tuple[ImagePlan, ...],
    layout: Layout,
    region_um: RegionUm | None,
    *,
    where: str,
) -> tuple[ImageHeader, Region, tuple[ImagePlan, ...]]:
    """Header, window and images of the part of a sample in use.

    The planes of a stack all have the window of the stack. Of other images each is cut in its own micrometres, and
    those that the window does not touch are left out; the header then has the largest of the windows.
    """
    if region_um is None or not images:
        return header, window_of(header, region_um, where=where), images
    if layout == "planes":
        window = window_of(header, region_um, where=where)
        return header, window, tuple(_cut(image, window) for image in images)
    found = [(image, _touched(Affine(*image.affine), image.shape, region_um)) for image in images]
    cut = tuple(_cut(image, window) for image, window in found if window is not None)
    if not cut:
        raise _beside(
            region_um, Affine(*images[0].affine), images[0].shape, f"any of {len(images)} images", where
        )
    shape: Triple = (
        header.shape[1],
        max(image.shape[1] for image in cut),
        max(image.shape[2] for image in cut),
    )
    header = replace(header, shape=(header.shape[0], *shape), affine=Affine(*cut[0].affine))
    return header, Region((0, 0, 0), shape), cut


def window_of(header: ImageHeader, region_um: RegionUm | None, *, where: str) -> Region:
    """The pixels of an image that a region touches; all of them where none is given."""
    shape = header.shape[1:]
    if region_um is None:
        return Region((0, 0, 0), shape)
    window = _touched(header.affine, shape, region_um)
    if window is None:
        raise _beside(region_um, header.affine, shape, "the image", where)
    return window


def _touched(affine: Affine, shape: Triple, region_um: RegionUm) -> Region | None:
    nz, ny, nx = shape
    x0, y0, x1, y1 = region_um
    column, row = affine.to_px(np.array([x0, x1, x0, x1]), np.array([y0, y0, y1, y1]))
    left, right = max(0, floor(column.min() + 1e-6)), min(nx, ceil(column.max() - 1e-6))
    top, bottom = max(0, floor(row.min() + 1e-6)), min(ny, ceil(row.max() - 1e-6))
    if left >= right or top >= bottom:
        return None
    return Region((0, top, left), (nz, bottom, right))


def _cut(image: ImagePlan, window: Region) -> ImagePlan:
    """The part of an image in a window."""
    affine = Affine(*image.affine).shifted(window.start[1], window.start[2])
    return image.model_copy(update={"start": window.start, "shape": window.shape, "affine": affine.numbers()})


def _beside(region_um: RegionUm, affine: Affine, shape: Triple, what: str, where: str) -> UserError:
    x0, y0, x1, y1 = region_um
    x, y = affine.to_um(np.array([0.0, shape[2]]), np.array([0.0, shape[1]]))
    of = "which covers" if what == "the image" else "of which the first covers"
    return UserError(
        where="image.region_um",
        found=f"[{x0:g}, {y0:g}, {x1:g}, {y1:g}] does not touch {what} of {where}, {of} "
        f"x {x.min():g} to {x.max():g} and y {y.min():g} to {y.max():g} um",
        do="choose a window inside the image",
    )
