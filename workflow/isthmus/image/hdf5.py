"""Images in HDF5 files, as ilastik, PlantSeg and ImageJ write them, described from headers and read window by window.

A data set is named by a path that goes on inside the file, `stack.h5/raw`; a file that holds one image, or one called
`raw`, needs no more than its own name. Axes are told by `axistags` (ilastik,
https://www.ilastik.org/documentation/basics/dataselection) or by HDF5's dimension labels; without them 3 dimensions
are z, y, x and 4 are c, z, y, x. `element_size_um` holds the size of a voxel along the spatial axes, in the order of
the axes (https://kreshuklab.github.io/plant-seg/, https://github.com/fiji/HDF5_Vibez). `channel_names`, a list of
texts, names the channels; no program writes it of itself.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from isthmus.errors import UserError, did_you_mean
from isthmus.image.array_source import ArraySource, canonical_shape
from isthmus.image.description import ImageDescription, check_dtype, unique_names
from isthmus.image.source import PixelSource

HDF5_MAGIC = b"\x89HDF"
RAW = "raw"
"""Name of the data set that is taken where a file holds several."""

_WITHOUT_NAMES = {2: "yx", 3: "zyx", 4: "czyx", 5: "tczyx"}
_FEW = 4
"""Up to so many channels may stand last in a file that names no axes, as in colour images."""


def split_inside(path: Path) -> tuple[Path, str]:
    """The file of a path that goes on inside it, and the rest: ('stack.h5', 'raw') of stack.h5/raw."""
    for parent in path.parents:
        if parent.is_file():
            return parent, path.relative_to(parent).as_posix()
        if parent.is_dir():
            break
    return path, ""


def describe_hdf5(path: Path, inside: str, *, where: str, fractions: bool) -> ImageDescription:
    """Describe an image in an HDF5 file (see `open_image`); `inside` names its data set, '' the only one."""
    try:
        with h5py.File(path, "r") as file:
            return _describe(file, path, inside, where, fractions)
    except OSError as error:
        found = f"the HDF5 file is damaged or cut short ({error})"
        raise UserError(where=where, found=found, do="copy it again from its source") from error


def open_hdf5(path: Path, name: str, axes: str) -> PixelSource:
    """Open the pixels of a data set; chunks are decoded as they are asked for."""
    file = h5py.File(path, "r")
    return ArraySource(file[name], axes, path, close=file.close)


def _describe(file: h5py.File, path: Path, inside: str, where: str, fractions: bool) -> ImageDescription:
    name = _data_set(file, inside, where)
    array = file[name]
    axes = _axes(array, where)
    shape = canonical_shape(array.shape, axes)
    if dict(zip(axes, array.shape, strict=True)).get("t", 1) > 1:
        found = f"data set '{name}' has {array.shape[axes.index('t')]} time points"
        do = "save one time point a file; time is not read yet"
        raise UserError(where=where, found=found, do=do)
    size_um = _voxel(array, axes, name, where)
    return ImageDescription(
        shape=shape,
        dtype=check_dtype(np.dtype(array.dtype), where, fractions=fractions),
        channels=unique_names(_names(array), shape[0]),
        pixel_size_um=(size_um["y"], size_um["x"]) if {"y", "x"} <= size_um.keys() else None,
        z_step_um=size_um.get("z"),
        origin_um=(0.0, 0.0),
        open=partial(open_hdf5, path, name, axes),
        files=(path,),
        format=f"HDF5, data set {name}",
        # PlantSeg's files name no axes; those of ilastik and ImageJ are known by their descriptions only.
        tested_on_real_files=_named_axes(array) is None and "element_size_um" in array.attrs,
        inside=name,
    )


def _data_set(file: h5py.File, inside: str, where: str) -> str:
    """Name of the data set that is meant."""
    held: dict[str, Any] = {}
    file.visititems(lambda name, item: held.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    images = [
        name for name, item in held.items() if item.ndim in _WITHOUT_NAMES and min(item.shape, default=0)
    ]
    if inside:
        if inside in images:
            return inside
        if inside in held:
            found = f"data set '{inside}' has {held[inside].ndim} dimensions and is no image"
            raise UserError(where=where, found=found, do="name an image of 2 to 5 dimensions")
        found = f"there is no data set '{inside}' in it"
        raise UserError(where=where, found=found, do=did_you_mean(inside, images))
    if not images:
        found = f"the HDF5 file holds no image (data sets: {', '.join(held) or 'none'})"
        raise UserError(where=where, found=found, do="save the image as a data set of 3 or 4 dimensions")
    if len(images) == 1:
        return images[0]
    if RAW in images:
        return RAW
    found = f"the HDF5 file holds {len(images)} images: {', '.join(images)}"
    raise UserError(where=where, found=found, do=f"say which, for example '{file.filename}/{images[0]}'")


def _axes(array: Any, where: str) -> str:
    """A letter a dimension: as named, or by their number."""
    letters = _named_axes(array)
    if letters is None:
        letters = _WITHOUT_NAMES[array.ndim]
        if array.ndim == 4 and array.shape[-1] <= _FEW < array.shape[0]:
            letters = "zyxc"
    if len(letters) != array.ndim or set(letters) - set("tczyx") or not {"y", "x"} <= set(letters):
        found = f"data set '{array.name.strip('/')}' has {array.ndim} dimensions, named '{letters}'"
        raise UserError(where=where, found=found, do="name axes t, c, z, y and x only, each once")
    return letters


def _names(array: Any) -> list[str | None]:
    """Names of the channels, where the attribute `channel_names` lists them."""
    names = np.ravel(array.attrs.get("channel_names", []))
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _named_axes(array: Any) -> str | None:
    tags = array.attrs.get("axistags")
    if tags is not None:
        try:
            return "".join(str(axis["key"]).lower() for axis in json.loads(tags)["axes"])
        except (ValueError, KeyError, TypeError):
            return None
    labels = [str(dimension.label).lower() for dimension in array.dims]
    return "".join(labels) if all(len(label) == 1 for label in labels) else None


def _voxel(array: Any, axes: str, name: str, where: str) -> dict[str, float]:
    """Micrometres of a voxel along each spatial axis; empty where the file does not say."""
    sizes = array.attrs.get("element_size_um")
    if sizes is None:
        return {}
    values = np.ravel(sizes)
    spatial = [axis for axis in axes if axis in "zyx"]
    # ImageJ's plugin writes three sizes for planes, too.
    values = values[-len(spatial) :] if values.size == 3 else values
    if values.size != len(spatial) or not all(np.isfinite(v) and v > 0 for v in values.astype(float)):
        found = f"element_size_um of data set '{name}' is {list(values)}"
        raise UserError(where=where, found=found, do=f"make it {len(spatial)} lengths in micrometres")
    return dict(zip(spatial, (float(value) for value in values), strict=True))
