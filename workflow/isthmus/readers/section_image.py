"""The stained picture of a section, and where its pixels lie, from the scales that Space Ranger notes beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isthmus.config.samples import Sample
from isthmus.config.sheet_words import ORIGINS, SIZES
from isthmus.counts.matrix import COPY
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.description import ImageDescription
from isthmus.image.open import open_image
from isthmus.image.source import ImagePart
from isthmus.image.stains import with_stains

SCALES = "scalefactors_json.json"
PICTURES = {
    "tissue_hires_image.png": "tissue_hires_scalef",
    "tissue_lowres_image.png": "tissue_lowres_scalef",
}

_RESOLVED_UM = 1.0
"""Nuclei cannot be told apart in larger pixels."""


def read_scales(path: Path, name: str, where: str) -> dict[str, float]:
    """The numbers of a file of scales, of which `name` must be there and above 0."""
    try:
        content: Any = json.loads(path.read_text())
        scales = {key: float(value) for key, value in content.items() if isinstance(value, int | float)}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(where=where, found=f"{SCALES} cannot be read ({error})", do=COPY) from error
    if scales.get(name, 0) <= 0:
        raise UserError(where=where, found=f"{SCALES} has no {name}", do=COPY)
    return scales


def check_geometry(sample: Sample, where: str) -> None:
    """The folder says how large pixels are and where they lie; a row that says so too could disagree."""
    given = [name for name in (*SIZES, *ORIGINS) if getattr(sample, name) is not None]
    if given:
        raise UserError(
            where=where,
            found=f"the row gives {', '.join(given)}, which the folder tells",
            do="leave it empty; affine places another image than the one that Space Ranger was given",
        )


def section_image(
    sample: Sample, folders: Sequence[Path], scales: dict[str, float], um_per_px: float, where: str
) -> tuple[ImagePart, list[str]]:
    """The full image where the row names one, else the finest picture of the folders, with its stains.

    Parameters
    ----------
    folders
        Where Space Ranger's pictures may lie.
    scales
        What `read_scales` found.
    um_per_px
        Micrometres a pixel of the full image.

    Returns
    -------
    tuple
        The image, in micrometres of the full image, and lines for the report.
    """
    notes: list[str] = []
    if sample.image is not None and not sample.image.is_dir():
        image, size_um = open_image(sample.image, where=sample.where), um_per_px
    else:
        found = [folder / name for name in PICTURES for folder in folders if (folder / name).is_file()]
        if not found:
            absent = f"there is no picture in spatial ({', '.join(PICTURES)})"
            raise UserError(where=where, found=absent, do="name the full image in column image")
        name = found[0].name
        scale = scales.get(PICTURES[name], 0.0)
        if scale <= 0:
            raise UserError(where=where, found=f"{SCALES} has no {PICTURES[name]}", do=COPY)
        image, size_um = open_image(found[0], where=sample.where), um_per_px / scale
        notes.append(f"the picture {name} is used, {size_um:.3g} um a pixel")
    notes += doubts(size_um, "; name the full image in column image")
    affine = Affine(*sample.affine) if sample.affine else Affine.from_size(size_um)
    return stained(image, affine, sample.where), notes


def doubts(size_um: float, cure: str = "") -> list[str]:
    """A note where pixels of this size are too large for nuclei."""
    if size_um <= _RESOLVED_UM:
        return []
    return [f"pixels of {size_um:.3g} um show no single nuclei: what is found are dark patches{cure}"]


def stained(image: ImageDescription, affine: Affine, where: str) -> ImagePart:
    """A colour image with its stains; an image that is none is an error."""
    if image.shape[:2] != (3, 1) or image.dtype != "uint8":
        found = f"image '{image.files[0]}' has {image.shape[0]} channels of {image.dtype}"
        raise UserError(where=where, found=found, do="give a colour image of 8 bits")
    return with_stains(image.part(affine))
