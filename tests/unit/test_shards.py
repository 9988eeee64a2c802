"""Reading and writing by the codecs alone gives what zarr gives."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BytesCodec

from isthmus.image.ome_zarr import CODECS
from isthmus.image.shards import read_slices, write_slices

SIDE = st.integers(1, 40)


def _create(folder, shape, chunks, shards, dtype="uint16", **more):
    with zarr.config.set(CODECS):
        zarr.create_array(folder, shape=shape, chunks=chunks, shards=shards, dtype=dtype, **more)
        return zarr.open_array(folder, mode="r+")


@st.composite
def _stores(draw):
    """Shape, chunks, shards (or none), where there are pixels, and a region."""
    n_axes = draw(st.integers(1, 3))
    shape = tuple(draw(SIDE) for _ in range(n_axes))
    chunks = tuple(draw(st.integers(1, 12)) for _ in shape)
    shards = tuple(n * draw(st.integers(1, 3)) for n in chunks)
    region = []
    for n in shape:
        start = draw(st.integers(0, n))
        region.append(slice(start, draw(st.integers(start, n))))
    return shape, chunks, draw(st.sampled_from([shards, None])), draw(st.integers(0, 40)), tuple(region)


@settings(deadline=None, max_examples=40)
@given(_stores(), st.sampled_from([0, 7]))
def test_any_region_is_read_as_zarr_reads_it(store, fill):
    shape, chunks, shards, end, region = store
    with tempfile.TemporaryDirectory() as folder:
        array = _create(Path(folder) / "a", shape, chunks, shards, fill_value=fill)
        # Beyond `end` nothing is stored.
        array[:end] = np.arange(array[:end].size, dtype=np.uint16).reshape(array[:end].shape)
        found = read_slices(array, region)
        assert found.dtype == array.dtype
        assert np.array_equal(found, array[region])


@settings(deadline=None, max_examples=25)
@given(_stores())
def test_shards_are_written_as_zarr_writes_them(store):
    shape, chunks, shards, end, _ = store
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    pixels[end:] = 0
    whole = tuple(slice(0, n) for n in shape)
    with tempfile.TemporaryDirectory() as folder:
        ours, zarrs = (_create(Path(folder) / name, shape, chunks, shards) for name in "ab")
        write_slices(ours, whole, pixels)
        zarrs[whole] = pixels
        files = [
            {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
            for root in (Path(folder) / "a", Path(folder) / "b")
        ]
        assert files[0] == files[1]
        assert np.array_equal(zarr.open_array(Path(folder) / "a", mode="r")[...], pixels)


def test_pixels_may_lie_anyhow_in_memory_and_be_of_another_type(tmp_path):
    array = _create(tmp_path / "a", (8, 6), (4, 3), (8, 6))
    pixels = np.arange(96).reshape(12, 8)[2:8, ::1].T
    write_slices(array, (slice(0, 8), slice(0, 6)), pixels)
    assert np.array_equal(array[...], pixels)


def test_pixels_in_the_other_byte_order_are_left_to_zarr(tmp_path):
    big = _create(tmp_path / "a", (8, 6), (4, 3), None, ">u2", serializer=BytesCodec(endian="big"))
    pixels = np.arange(48, dtype=np.uint16).reshape(8, 6)
    whole = (slice(0, 8), slice(0, 6))
    write_slices(big, whole, pixels)
    assert np.array_equal(read_slices(big, whole), pixels)


def test_pixels_that_do_not_fill_the_region_are_refused(tmp_path):
    array = _create(tmp_path / "a", (8, 6), (4, 3), (8, 6))
    with pytest.raises(ValueError, match="do not fill"):
        write_slices(array, (slice(0, 8), slice(0, 6)), np.zeros((1, 6), np.uint16))


def test_damage_is_an_error(tmp_path):
    array = _create(tmp_path / "a", (8, 6), (4, 3), (8, 6))
    whole = (slice(0, 8), slice(0, 6))
    write_slices(array, whole, np.arange(48, dtype=np.uint16).reshape(8, 6))
    shard = tmp_path / "a" / "c" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-3])
    with pytest.raises(RuntimeError):
        read_slices(array, whole)
