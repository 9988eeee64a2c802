"""The label images that packs write to: made by whichever pack comes first, made anew when the blocks have changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import zarr

from isthmus.blocks.grid import Grid, Triple
from isthmus.image.ome_zarr import create_level
from isthmus.image.templates import Templates


def ensure_label_array(
    array: Path,
    grid: Grid,
    dtype: np.dtype[np.unsignedinteger],
    *,
    lock: Path,
    digest: str,
    stays: bool = True,
) -> None:
    """Make sure that an array is there which fits the blocks.

    Parameters
    ----------
    array
        Folder of the array.
    dtype
        Type of the labels.
    lock
        A file that keeps packs from doing this at the same time.
    digest
        What the labels depend on. Where the array holds others, the OME metadata beside it goes: what can be opened as
        an image is complete.
    stays
        False for local labels, which go when the run is complete.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(lock):
        there = _open(array)
        if there is not None and not _fits(there, grid, dtype):
            shutil.rmtree(array)
            there = None
        if there is None:
            (array / "zarr.json").unlink(missing_ok=True)
            level = create_level(
                array,
                shape=grid.shape,
                dtype=dtype,
                chunk=label_chunk(grid.block_px),
                shard=grid.block_px,
                stays=stays,
            )
            there = level.array
            there.attrs["cut"] = list(grid.block_px)
        if there.attrs.get("digest") != digest:
            (array.parent / "zarr.json").unlink(missing_ok=True)
            there.attrs["digest"] = digest


def ensure_label_arrays(
    arrays: Mapping[Path, Triple],
    block_px: Triple,
    dtype: np.dtype[np.unsignedinteger],
    *,
    lock: Path,
    digest: str,
    stays: bool = True,
) -> None:
    """As `ensure_label_array`, for images (path and shape) of a sample that has many."""

    def make(path: Path, shape: Triple) -> None:
        level = create_level(
            path, shape=shape, dtype=dtype, chunk=label_chunk(block_px), shard=block_px, stays=stays
        )
        level.array.attrs["cut"] = list(block_px)
        level.array.attrs["digest"] = digest

    templates = Templates(make)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(lock):
        for array, shape in arrays.items():
            _ensure(array, shape, templates)


def _ensure(array: Path, shape: Triple, templates: Templates) -> None:
    """One array; what it holds stays if it is of this kind, whatever digest it had."""
    wanted, metadata = templates.text(shape), array / "zarr.json"
    try:
        there = metadata.read_text(encoding="utf-8")
        if there == wanted:
            return
        fits = _without_digest(there) == _without_digest(wanted)
    except (OSError, ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        shutil.rmtree(array, ignore_errors=True)
    (array.parent / "zarr.json").unlink(missing_ok=True)
    array.mkdir(parents=True, exist_ok=True)
    temporary = metadata.with_name(f".zarr.json.{os.getpid()}")
    temporary.write_text(wanted, encoding="utf-8")
    temporary.replace(metadata)


def _without_digest(metadata: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(metadata)
    return {**fields, "attributes": {**fields["attributes"], "digest": ""}}


def label_chunk(block_px: Triple) -> Triple:
    """Inner chunk of a label image: at most 256 pixels a side, so that a halo is read without its whole block."""
    z, y, x = (min(n, 256) for n in block_px)
    return (min(z, 32), y, x)


def _open(array: Path) -> zarr.Array | None:
    try:
        return zarr.open_array(array, mode="r+")
    except (OSError, ValueError, KeyError):
        return None


def _fits(array: zarr.Array, grid: Grid, dtype: np.dtype[np.unsignedinteger]) -> bool:
    shape = grid.shape if grid.shape[0] > 1 else grid.shape[1:]
    return bool(
        array.dtype == dtype and array.shape == shape and array.attrs.get("cut") == list(grid.block_px)
    )
