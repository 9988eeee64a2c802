"""OME-Zarr images, versions 0.4 (Zarr 2) and 0.5 (Zarr 3), described from their metadata.

Layouts: https://ngff.openmicroscopy.org/0.4/ and https://ngff.openmicroscopy.org/0.5/ (multiscales, omero); a
folder made by bioformats2raw is entered at its first image.

A `translation` of the full resolution places the centre of the upper left pixel, as in the images that
Isthmus writes; without one (or with zeros) the outer corner of that pixel is the origin, as in a TIFF. No
version of the specification says which is meant; the two differ by half a pixel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from isthmus.errors import UserError
from isthmus.image.array_source import ArraySource, canonical_shape
from isthmus.image.description import MICROMETRES, ImageDescription, check_dtype, unique_names
from isthmus.image.source import PixelSource

METADATA = ("zarr.json", ".zattrs", ".zgroup")


def describe_zarr(path: Path, *, level: int, where: str, fractions: bool = False) -> ImageDescription:
    """Describe an OME-Zarr image (see `open_image`)."""
    if not any((path / name).exists() for name in METADATA):
        raise UserError(
            where=where,
            found="this is a folder without OME-Zarr metadata",
            do="name an image file or an OME-Zarr image",
        )
    try:
        group = zarr.open_group(path, mode="r")
        attributes = dict(group.attrs)
    except (ValueError, KeyError, OSError, TypeError, zarr.errors.BaseZarrError) as error:
        raise UserError(
            where=where, found=f"it is no readable Zarr group ({error})", do="copy it again from its source"
        ) from error
    ome = attributes["ome"] if isinstance(attributes.get("ome"), Mapping) else attributes
    if "multiscales" not in ome and "bioformats2raw.layout" in ome and (path / "0").is_dir():
        return describe_zarr(path / "0", level=level, where=where, fractions=fractions)
    return _describe(path, group, ome, level, where, fractions)


def ome_attributes(path: Path) -> dict[str, Any] | None:
    """The OME metadata of a Zarr group, of version 0.4 or 0.5; None where there is no group."""
    for name in ("zarr.json", ".zattrs"):
        try:
            attributes = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if name == "zarr.json":
            attributes = attributes.get("attributes", {})
        ome = attributes.get("ome")
        return dict(ome) if isinstance(ome, Mapping) else dict(attributes)
    return None


def _describe(
    path: Path, group: Any, ome: Mapping[str, Any], level: int, where: str, fractions: bool
) -> ImageDescription:
    try:
        multiscale = ome["multiscales"][0]
        datasets = multiscale["datasets"]
        names = [str(dataset["path"]) for dataset in datasets]
        axes, units = _axes(multiscale)
    except (KeyError, IndexError, TypeError) as error:
        kind = "it is a plate" if "plate" in ome else "its metadata describe no OME-Zarr image (multiscales)"
        raise UserError(where=where, found=kind, do="name the folder of one image") from error
    if level >= len(names):
        found = f"its last level is {len(names) - 1}, and level {level} was asked for"
        raise UserError(where=where, found=found, do="ask for another level")
    array = _array(group, names[level], axes, where)
    shape = canonical_shape(array.shape, axes)
    scale, _ = _scale_and_translation(datasets[level], multiscale, len(axes))
    scale_full, translation = _scale_and_translation(datasets[0], multiscale, len(axes))
    size_um = _lengths(scale, axes, units)
    origin_um = _corner(_lengths(translation, axes, units), _lengths(scale_full, axes, units))
    has_size = size_um.get("y", 0.0) > 0 and size_um.get("x", 0.0) > 0
    labels = [channel.get("label") for channel in ome.get("omero", {}).get("channels", [])]
    return ImageDescription(
        shape=shape,
        dtype=check_dtype(np.dtype(array.dtype), where, fractions=fractions),
        channels=unique_names(labels, shape[0]),
        pixel_size_um=(size_um["y"], size_um["x"]) if has_size else None,
        z_step_um=size_um.get("z"),
        origin_um=origin_um,
        open=partial(open_zarr, path / names[level], axes),
        files=(path,),
        format=f"OME-Zarr {ome.get('version') or multiscale.get('version') or '(version unknown)'}",
    )


def open_zarr(path: Path, axes: str) -> PixelSource:
    """Open the pixels of one level."""
    return ArraySource(zarr.open_array(path, mode="r"), axes, path)


def _array(group: Any, name: str, axes: str, where: str) -> Any:
    try:
        array = group[name]
    except (KeyError, OSError, ValueError) as error:
        raise UserError(
            where=where,
            found=f"its metadata name level '{name}', which is not there",
            do="copy it again, whole",
        ) from error
    if not isinstance(array, zarr.Array) or array.ndim != len(axes):
        raise UserError(
            where=where, found=f"level '{name}' is not an array with axes {axes}", do="have it written again"
        )
    sizes = dict(zip(axes, array.shape, strict=True))
    if sizes.get("t", 1) > 1:
        raise UserError(
            where=where,
            found=f"it has {sizes['t']} time points",
            do="save one time point a file; time is not read yet",
        )
    return array


def _axes(multiscale: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Letters of the axes and their units ('' where none is given)."""
    listed = [{"name": axis} if isinstance(axis, str) else axis for axis in multiscale["axes"]]
    letters = "".join(str(axis["name"]).lower() for axis in listed)
    if set(letters) - set("tczyx") or len(letters) != len(listed) or not {"y", "x"} <= set(letters):
        raise KeyError("axes")
    return letters, tuple(str(axis.get("unit", "")) for axis in listed)


def _scale_and_translation(
    dataset: Mapping[str, Any], multiscale: Mapping[str, Any], n_axes: int
) -> tuple[list[float], list[float]]:
    """Scale and translation a dimension: first the level's own, then those of all levels."""
    scale, translation = [1.0] * n_axes, [0.0] * n_axes
    transforms: list[Mapping[str, Any]] = list(dataset.get("coordinateTransformations", []))
    transforms += multiscale.get("coordinateTransformations", [])
    for transform in transforms:
        if transform.get("type") == "scale":
            factors = [float(factor) for factor in transform["scale"]]
            scale = [a * b for a, b in zip(scale, factors, strict=True)]
            translation = [a * b for a, b in zip(translation, factors, strict=True)]
        if transform.get("type") == "translation":
            translation = [a + float(b) for a, b in zip(translation, transform["translation"], strict=True)]
    return scale, translation


def _lengths(values: Sequence[float], axes: str, units: Sequence[str]) -> dict[str, float]:
    """Micrometres an axis; one without a unit of length is left out, since its numbers are no lengths."""
    return {
        axis: value * MICROMETRES[unit.lower()]
        for axis, value, unit in zip(axes, values, units, strict=True)
        if axis in "zyx" and unit.lower() in MICROMETRES
    }


def _corner(centre_um: Mapping[str, float], size_um: Mapping[str, float]) -> tuple[float, float]:
    """The outer corner (x, y) of the upper left pixel, given its centre; zeros where nothing places it."""
    if not any(centre_um.get(axis, 0.0) for axis in "xy"):
        return (0.0, 0.0)
    x_um, y_um = (centre_um.get(axis, 0.0) - size_um.get(axis, 0.0) / 2 for axis in "xy")
    return (x_um, y_um)
