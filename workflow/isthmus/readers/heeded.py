"""Which columns of the sample sheet each reader heeds; one that it would pass over is refused by name."""

from __future__ import annotations

from isthmus.config.samples import Sample
from isthmus.errors import UserError

_ORIGIN = ("origin_x_um", "origin_y_um")
_GENERIC = ("transcripts", "labels", "pixel_size_um", "z_step_um", *_ORIGIN, "affine")

HEEDED: dict[str, tuple[str, ...]] = {
    "cosmx": ("transcripts", "pixel_size_um", "affine"),
    "generic": _GENERIC,
    "images": ("labels", "pixel_size_um", "z_step_um", *_ORIGIN, "affine"),
    "imagexpress": ("labels", "pixel_size_um"),
    "imc": ("acquisition", "labels", "pixel_size_um", *_ORIGIN, "affine"),
    "merscope": ("transcripts", "labels", "z_step_um", "affine"),
    "ome_tiff": _GENERIC,
    "ome_zarr": _GENERIC,
    "tiff_folder": ("labels", "pixel_size_um", "z_step_um", *_ORIGIN, "affine"),
    "xenium": ("transcripts", "labels", "z_step_um", "affine"),
}
"""Columns about files and places beside `image`. Readers of arrays of spots look after theirs themselves."""

ASKED = (
    *("transcripts", "counts", "reads", "labels", "acquisition"),
    *("pixel_size_um", "z_step_um", *_ORIGIN, "affine"),
)
"""Columns that some reader heeds."""


def check_heeded(sample: Sample, reader: str) -> None:
    """Raise a UserError that names the first column that is filled and would be passed over."""
    heeded = HEEDED.get(reader)
    if heeded is None:
        return
    for column in ASKED:
        if column not in heeded and getattr(sample, column) is not None:
            raise UserError(
                where=f"{sample.where}, column {column}",
                found=f"reader '{reader}' does not heed it: what it says is in the vendor's files, or is not read",
                do=f"leave it empty; of such columns this reader heeds {', '.join(heeded)}",
            )
