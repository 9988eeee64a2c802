"""Several planes of a sample: a volume, one plane, their projection, or each by itself, as `image.z` says.

Projections are made window by window while pixels are read; nothing is stored in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import ImagePart, NamedImage, PixelSource, SampleParts, Window

Projection = Literal["max", "mean"]


def with_planes(parts: SampleParts, sample: Sample) -> SampleParts:
    """The parts of a sample with the planes that `image.z` asks for; a plane is left as it is."""
    n_planes = parts.image.header.shape[1]
    how = sample.z
    if how == "auto":
        how = "max" if parts.planes_are == "sections" else "all"
    if n_planes == 1 or how == "all":
        return parts
    if isinstance(how, int) and how >= n_planes:
        raise UserError(
            where=f"image.z, {sample.where}",
            found=f"plane {how} is asked for, and the image has {n_planes}",
            do=f"give a number from 0 to {n_planes - 1}, or all, each, max or mean",
        )
    if how == "each":
        return _each(parts, sample)
    polygons = parts.polygons
    if polygons and isinstance(how, int):
        polygons = replace(polygons, only_plane=how)
    return replace(
        parts,
        image=_flat(parts.image, how),
        images=tuple(replace(image, part=_flat(image.part, how)) for image in parts.images),
        labels=_flat_labels(parts.labels, how, sample) if parts.labels else None,
        polygons=polygons,
        notes=(*parts.notes, _note(how, n_planes)),
    )


def _each(parts: SampleParts, sample: Sample) -> SampleParts:
    """The planes of a stack as so many images; label image and polygons stay those of the stack."""
    header = parts.image.header
    n_planes = header.shape[1]
    if parts.images:
        raise UserError(
            where=f"image.z, {sample.where}",
            found=f"each of {n_planes} planes is asked for, and the sample has {len(parts.images)} images already",
            do="make one sample an image, or give all, max, mean or the number of a plane",
        )
    width = len(str(n_planes - 1))
    images = tuple(
        NamedImage(f"z{k:0{width}}", f"z{k:0{width}}", _flat(parts.image, k), {"plane": str(k)})
        for k in range(n_planes)
    )
    note = f"each of {n_planes} planes is an image of its own (image.z)"
    image = replace(parts.image, header=images[0].part.header, open=images[0].part.open)
    return replace(
        parts,
        image=image,
        images=images,
        layout="planes",
        plane_step_um=header.z_step_um,
        notes=(*parts.notes, note),
    )


def _note(how: str | int, n_planes: int) -> str:
    if isinstance(how, int):
        return f"plane {how} of {n_planes} is used (image.z); the transcripts of all planes are"
    return f"{n_planes} planes are projected by their {'maximum' if how == 'max' else 'mean'} (image.z)"


def _flat(image: ImagePart, how: str | int) -> ImagePart:
    """An image of one plane made of several."""
    header = image.header
    channels, n_planes, *plane = header.shape
    if isinstance(how, int):
        source: Callable[[], PixelSource] = partial(OnePlane, image.open, how)
    else:
        source = partial(ProjectedPlanes, image.open, n_planes, "max" if how == "max" else "mean")
    flat = replace(header, shape=(channels, 1, plane[0], plane[1]), z_step_um=1.0)
    return ImagePart(
        flat,
        source,
        image.files,
        inside=image.inside,
        made=f"{image.made} z {how} of {n_planes}".strip(),
        tested_on_real_files=image.tested_on_real_files,
        held_mb=image.held_mb,
    )


def _flat_labels(labels: ImagePart, how: str | int, sample: Sample) -> ImagePart:
    if labels.header.shape[1] == 1:
        return labels
    if isinstance(how, int):
        return _flat(labels, how)
    raise UserError(
        where=f"image.z, {sample.where}",
        found=f"the label image has {labels.header.shape[1]} planes, which no projection joins into one",
        do="give a label image of one plane, or a plane's number or `all` for image.z",
    )


@dataclass(frozen=True)
class OnePlane:
    """One plane of an image."""

    open: Callable[[], PixelSource]
    plane: int

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel in the dtype of the file."""
        return self.open().read(channel, (slice(self.plane, self.plane + 1), *window[1:]))


@dataclass(frozen=True)
class ProjectedPlanes:
    """All planes of an image as one; memory holds two of them."""

    open: Callable[[], PixelSource]
    n_planes: int
    how: Projection

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel in the dtype of the file; a mean is rounded down."""
        source = self.open()
        first = source.read(channel, (slice(0, 1), *window[1:]))
        highest, total = first, first.astype(np.float64)
        for plane in range(1, self.n_planes):
            pixels = source.read(channel, (slice(plane, plane + 1), *window[1:]))
            if self.how == "max":
                highest = np.maximum(highest, pixels)
            else:
                total += pixels.astype(np.float64)
        if self.how == "max":
            return highest
        mean = total / self.n_planes
        return (mean if first.dtype.kind == "f" else np.floor(mean)).astype(first.dtype)
