"""What imports of one image and of many have in common: types, histograms, and what they leave beside the pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import zarr

from isthmus.errors import UserError

N_VALUES = 65_536


def stored_dtype(dtype: str, values: tuple[float, float] | None) -> np.dtype[np.unsignedinteger]:
    """What pixels of a type are stored as; `values` is the range that is spread over 16 bits, if one is."""
    is_narrow = dtype in ("bool", "uint8") and values is None
    return np.dtype(np.uint8 if is_narrow else np.uint16)


def as_stored(
    pixels: npt.NDArray[np.generic], values: tuple[float, float] | None, *, channel: int, where: str
) -> npt.NDArray[np.generic]:
    """Pixels as they are stored; UserError if a value is below 0 or above 65535 and no range of values is given."""
    if values is not None:
        return rescaled(pixels, *values, where=where)
    if pixels.size and pixels.dtype.kind in "iu" and pixels.dtype.itemsize + (pixels.dtype.kind == "i") > 2:
        low, high = int(pixels.min()), int(pixels.max())
        if low < 0 or high >= N_VALUES:
            raise UserError(
                where=where,
                found=f"pixel values from {low} to {high} in channel {channel}, but 0 to {N_VALUES - 1} are supported",
                do="give image.intensity_range, or rescale the image to 16 bit without sign",
            )
    return pixels


def rescaled(
    pixels: npt.NDArray[np.generic], low: float, high: float, *, where: str
) -> npt.NDArray[np.uint16]:
    """Values low to high as 0 to 65535, rounded to the nearest, halves to even; others are cut.

    A difference, a product and a quotient of doubles, each correctly rounded: the same everywhere, pixel by pixel.
    """
    values = pixels.astype(np.float64)
    if np.isnan(values).any():
        raise UserError(
            where=where, found="the image has pixels that are no number", do="fill them with a value"
        )
    scaled = (np.clip(values, low, high) - low) * (N_VALUES - 1) / (high - low)
    return np.rint(scaled).astype(np.uint16)


def count_pixels(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Pixels of each value, 0 to 65535."""
    return np.bincount(pixels.astype(np.uint16).reshape(-1), minlength=N_VALUES).astype(np.int64)


def save_histograms(
    path: Path, *, histograms: npt.NDArray[np.int64], brightness: npt.NDArray[np.int64]
) -> None:
    """Histograms (channels, values) and brightness (channels, shards): the sum of each shard's pixel values."""
    temporary = path.with_name(f"partial.{path.name}")
    np.savez_compressed(temporary, histograms=histograms, brightness=brightness)
    temporary.replace(path)


def digest_of_level(level: Path) -> str:
    """What the pixels of an array depend on, as the import noted it; empty where there is none."""
    try:
        noted = zarr.open_array(level, mode="r").attrs.get("isthmus", {})
    except (OSError, ValueError, KeyError):
        return ""
    return str(noted.get("digest", "")) if isinstance(noted, dict) else ""
