"""What no validator of OME-Zarr looks at, and what all of them look at, as a list of faults of an image on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr

UNITS = {"micrometer", "nanometer", "millimeter", "meter", "angstrom"}


def faults_of(image: Path) -> list[str]:
    """Faults of an OME-Zarr 0.5 image and its label images."""
    found = list(_multiscale(image, is_label=False))
    spatial = _shape(image)
    listed = _ome(image / "labels").get("labels", []) if (image / "labels").exists() else []
    there = sorted(p.name for p in (image / "labels").glob("*") if p.is_dir())
    if sorted(listed) != there:
        found.append(f"labels listed {sorted(listed)}, there are {there}")
    for name in there:
        label = image / "labels" / name
        found += _multiscale(label, is_label=True)
        if _shape(label) != spatial:
            found.append(f"label {name} has the shape {_shape(label)}, the image {spatial}")
    return found


def _ome(folder: Path) -> dict[str, Any]:
    group = json.loads((folder / "zarr.json").read_text())
    assert (group["zarr_format"], group["node_type"]) == (3, "group")
    ome: dict[str, Any] = group["attributes"]["ome"]
    return ome


def _shape(folder: Path) -> tuple[int, ...]:
    array = zarr.open_array(folder / "0", mode="r")
    names = array.metadata.dimension_names or ()
    return tuple(n for n, name in zip(array.shape, names, strict=True) if name in "zyx")


def _multiscale(folder: Path, *, is_label: bool) -> Iterator[str]:
    ome = _ome(folder)
    if ome["version"] != "0.5":
        yield f"version {ome['version']}"
    (scales,) = ome["multiscales"]
    axes = scales["axes"]
    names = [axis["name"] for axis in axes]
    wanted = ["y", "x"] if "z" not in names else ["z", "y", "x"]
    if names != (wanted if is_label else ["c", *wanted]):
        yield f"axes {names}"
    for axis in axes:
        if axis["type"] == "space" and axis.get("unit") not in UNITS:
            yield f"unit {axis.get('unit')}"
    dtypes, sizes = set(), []
    for dataset in scales["datasets"]:
        yield from _dataset(folder / dataset["path"], dataset, names)
        array = zarr.open_array(folder / dataset["path"], mode="r")
        dtypes.add(array.dtype)
        sizes.append(array.shape)
    if len(dtypes) > 1:
        yield f"levels have the types {sorted(map(str, dtypes))}"
    if sizes != sorted(sizes, reverse=True):
        yield f"levels are not from large to small: {sizes}"
    if [dataset["path"] for dataset in scales["datasets"]] != [str(n) for n in range(len(sizes))]:
        yield "levels are not named 0, 1, ..."
    if is_label:
        if "image-label" not in ome or any(np.dtype(d).kind not in "ui" for d in dtypes):
            yield "not a label image"
    elif len(ome["omero"]["channels"]) != sizes[0][0]:
        yield "channels of omero"
    elif any(len(bytes.fromhex(channel["color"])) != 3 for channel in ome["omero"]["channels"]):
        yield "a colour is not six hexadecimal digits"


def _dataset(path: Path, dataset: dict[str, Any], names: list[str]) -> Iterator[str]:
    array = zarr.open_array(path, mode="r")
    if list(array.metadata.dimension_names or ()) != names:
        yield f"{path.name}: dimension_names {array.metadata.dimension_names}"
    kinds = [transform["type"] for transform in dataset["coordinateTransformations"]]
    if kinds != ["scale", "translation"]:
        yield f"{path.name}: transformations {kinds}"
    for transform in dataset["coordinateTransformations"]:
        if len(transform[transform["type"]]) != array.ndim:
            yield f"{path.name}: {transform['type']} has not {array.ndim} numbers"
    try:
        array[...]
    except Exception as error:
        yield f"{path.name}: cannot be decoded ({type(error).__name__})"
