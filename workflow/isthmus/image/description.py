"""What an image file says of itself, before the sample sheet has its say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader, ImagePart, PixelSource

# To micrometres. The names of OME-XML and OME-Zarr, and those that ImageJ writes.
MICROMETRES = {
    "angstrom": 1e-4,
    "å": 1e-4,
    "nanometer": 1e-3,
    "nm": 1e-3,
    "micrometer": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "\\u00b5m": 1.0,
    "millimeter": 1e3,
    "mm": 1e3,
    "centimeter": 1e4,
    "cm": 1e4,
    "meter": 1e6,
    "m": 1e6,
    "inch": 25400.0,
    "in": 25400.0,
}


@dataclass(frozen=True)
class ImageDescription:
    """An image as its files describe it; None where they say nothing.

    shape is (c, z, y, x). pixel_size_um is (y, x). origin_um is (x, y), the outer corner of the upper left
    pixel. inside names the image in a file that holds several; steps_per_unit is as in `ImageHeader`,
    tested_on_real_files and held_mb as in `ImagePart`.
    """

    shape: tuple[int, int, int, int]
    dtype: str
    channels: tuple[str, ...]
    pixel_size_um: tuple[float, float] | None
    z_step_um: float | None
    origin_um: tuple[float, float]
    open: Callable[[], PixelSource]
    files: tuple[Path, ...]
    format: str
    inside: str = ""
    steps_per_unit: float = 1.0
    tested_on_real_files: bool = True
    held_mb: float = 0.0

    def part(self, affine: Affine, z_step_um: float | None = None) -> ImagePart:
        """The image with its place in the sample's micrometres; ValueError for a volume of unknown z step."""
        step = z_step_um or self.z_step_um
        if self.shape[1] == 1:
            step = 1.0
        if step is None:
            raise ValueError("a volume needs a z step")
        header = ImageHeader(
            shape=self.shape,
            dtype=self.dtype,
            channels=self.channels,
            affine=affine,
            z_step_um=step,
            steps_per_unit=self.steps_per_unit,
        )
        return ImagePart(
            header=header,
            open=self.open,
            files=self.files,
            inside=self.inside,
            tested_on_real_files=self.tested_on_real_files,
            held_mb=self.held_mb,
        )


def check_dtype(dtype: np.dtype[np.generic], where: str, *, fractions: bool = False) -> str:
    """The name of a dtype that images may have: bool, an integer or, where they are allowed, fractions."""
    if dtype.kind in ("buif" if fractions else "bui"):
        return dtype.newbyteorder("=").name
    raise UserError(
        where=where,
        found=f"the pixels are of type {dtype.name}",
        do="save whole numbers: intensities rescaled to uint16, labels as uint32",
    )


def unique_names(names: list[str | None], count: int) -> tuple[str, ...]:
    """`count` channel names that differ: those given, or else `channel_0`, `channel_1`, ..."""
    result: list[str] = []
    for number in range(count):
        name = (names[number] if number < len(names) else None) or f"channel_{number}"
        result.append(name if name not in result else f"{name}_{number}")
    return tuple(result)


def in_micrometres(value: float | None, unit: str) -> float | None:
    """A length in micrometres; None when it is no positive number or the unit is no length."""
    factor = MICROMETRES.get(unit.strip().lower())
    if value is None or factor is None or not np.isfinite(value) or value <= 0:
        return None
    return value * factor
