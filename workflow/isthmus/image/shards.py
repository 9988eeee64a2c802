"""Pixels of stored arrays by way of their codecs alone.

Zarr hands every read and write to an event loop in a thread, and that to another thread. For a block, whose halo lies
in nine shards, this takes as long as decoding does. Here the codecs are called as zarr's own pipeline calls them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarrs._internal import ChunkItem

Index = tuple[slice, ...]


def read_slices(array: zarr.Array, index: Index) -> npt.NDArray[Any]:
    """Pixels of a region that lies in the array: array[index].

    Raises
    ------
    RuntimeError
        What is stored cannot be decoded.
    """
    codecs = _codecs(array)
    if codecs is None:
        return np.asarray(array[index])
    pixels: npt.NDArray[Any] = np.empty(_shape(index), dtype=array.dtype)
    # One at a time: several in a call wake a pool of threads, which wait for each other at full speed.
    for item in _items(array, index):
        codecs.retrieve_chunks_and_apply_index([item], pixels)
    return pixels


def write_slices(array: zarr.Array, index: Index, pixels: npt.NDArray[Any]) -> None:
    """Store pixels in a region of whole shards: array[index] = pixels. A shard of nothing but background is no file."""
    codecs = _codecs(array)
    if codecs is None:
        array[index] = pixels
        return
    pixels = np.ascontiguousarray(pixels, dtype=array.dtype)
    if pixels.shape != _shape(index):
        raise ValueError(f"pixels of shape {pixels.shape} do not fill a region of {_shape(index)}")
    for item in _items(array, index):
        codecs.store_chunks_with_indices([item], pixels, False)


def _codecs(array: zarr.Array) -> Any:
    """The compiled codecs of an array, if it has some that take its pixels as they are."""
    codecs = getattr(array.async_array.codec_pipeline, "impl", None)
    return codecs if array.dtype.isnative else None


def _shape(index: Index) -> tuple[int, ...]:
    return tuple(axis.stop - axis.start for axis in index)


def _items(array: zarr.Array, index: Index) -> Iterator[ChunkItem]:
    """For every stored object that the region lies in, which part of it is which part of the region."""
    if not all(_shape(index)):
        return
    sizes = array.shards or array.chunks
    places = [range(a.start // n, -(-a.stop // n)) for a, n in zip(index, sizes, strict=True)]
    for place in product(*places):
        inner, outer = [], []
        for axis, size, number in zip(index, sizes, place, strict=True):
            first = number * size
            start, stop = max(axis.start, first), min(axis.stop, first + size)
            inner.append(slice(start - first, stop - first))
            outer.append(slice(start - axis.start, stop - axis.start))
        yield ChunkItem(
            key=(array.store_path / array.metadata.encode_chunk_key(place)).path,
            chunk_subset=inner,
            chunk_shape=sizes,
            subset=outer,
            shape=_shape(index),
        )
