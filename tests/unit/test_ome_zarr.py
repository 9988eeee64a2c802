"""OME-Zarr as written: what readers of others need, and what block-wise writing needs."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import zarr
from ome_zarr_check import faults_of

from isthmus.blocks.grid import Grid, Region
from isthmus.image import pyramid
from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import Level, create_level, write_image_metadata, write_labels_group
from isthmus.image.pyramid import HalvingJob, halve_shard, level_factors, level_shape

AFFINE = Affine.from_size(0.25, 1000.0, 500.0)


def _write(folder, pixels, shard, *, how, n_channels):
    """All levels of an image (c, z, y, x) or label image (1, z, y, x)."""
    shape = pixels.shape[1:]
    factors = level_factors(shape)
    for place, factor in enumerate(factors):
        grid = Grid(level_shape(shape, factor), shard)
        level = create_level(
            folder / str(place),
            shape=grid.shape,
            dtype=pixels.dtype,
            chunk=(1, 8, 8),
            shard=shard,
            n_channels=n_channels,
        )
        for channel, plane in enumerate(pixels):
            for index in range(grid.n_blocks):
                write = grid.block(index).write
                if place == 0:
                    level.write(write, plane[write.slices], channel)
                    continue
                finer = level_shape(shape, factors[place - 1])
                job = HalvingJob(folder / str(place - 1), folder / str(place), finer, grid, n_channels, how)
                halve_shard(job, (channel, index))
    return factors


@pytest.fixture(params=[(1, 37, 70), (3, 40, 33)], ids=["plane", "volume"])
def image(request, tmp_path, monkeypatch):
    """An image with three levels and two label images."""
    monkeypatch.setattr(pyramid, "COARSEST_PX", 20)
    shape = request.param
    is_volume = shape[0] > 1
    random = np.random.default_rng(0)
    pixels = random.integers(1, 60_000, (2, *shape)).astype(np.uint16)
    folder = tmp_path / "image.ome.zarr"
    place = {"is_volume": is_volume, "affine": AFFINE, "z_step_um": 2.0}
    for name in ("nuclei", "cells"):
        labels = random.integers(0, 900, (1, *shape)).astype(np.uint32)
        factors = _write(folder / "labels" / name, labels, (2, 16, 16), how="nearest", n_channels=None)
        write_image_metadata(folder / "labels" / name, name=name, factors=factors, **place)
    write_labels_group(folder / "labels", ("nuclei", "cells"))
    factors = _write(folder, pixels, (2, 16, 16), how="mean", n_channels=2)
    windows = [(3, 900), (7, 7)]
    write_image_metadata(
        folder, name="a", factors=factors, channels=("DAPI", "CD3"), windows=windows, **place
    )
    return folder, pixels


def test_what_is_written_has_no_faults(image):
    folder, pixels = image
    assert faults_of(folder) == []
    assert np.array_equal(zarr.open_array(folder / "0", mode="r")[...].reshape(pixels.shape), pixels)
    assert len(list(folder.glob("[0-9]"))) >= 2


def _edit(path, change):
    value = json.loads(path.read_text())
    change(value["attributes"]["ome"])
    path.write_text(json.dumps(value))


def _retype(folder):
    old = zarr.open_array(folder / "1", mode="r")
    content, names, chunks = old[...], old.metadata.dimension_names, old.chunks
    zarr.create_array(
        folder / "1", data=content.astype(np.uint32), chunks=chunks, dimension_names=names, overwrite=True
    )


def _unit(folder):
    _edit(folder / "zarr.json", lambda ome: ome["multiscales"][0]["axes"][-1].update(unit="micron"))


def _corrupt(folder):
    shard = max((p for p in (folder / "0" / "c").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])


def _crop_label(folder):
    label = folder / "labels" / "cells" / "0"
    old = zarr.open_array(label, mode="r")
    names, content = old.metadata.dimension_names, old[..., :-1]
    zarr.create_array(label, data=content, chunks=old.chunks, dimension_names=names, overwrite=True)


def _unlist(folder):
    _edit(folder / "labels" / "zarr.json", lambda ome: ome["labels"].pop())


def _swap_transformations(folder):
    _edit(
        folder / "zarr.json",
        lambda ome: ome["multiscales"][0]["datasets"][0]["coordinateTransformations"].reverse(),
    )


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (_retype, "types"),
        (_unit, "micron"),
        (_corrupt, "decoded"),
        (_crop_label, "shape"),
        (_unlist, "listed"),
        (_swap_transformations, "transformations"),
    ],
)
def test_the_check_sees_what_validators_miss(image, harm, word):
    folder, _ = image
    harm(folder)
    assert any(word in fault for fault in faults_of(folder))


def test_a_pixel_lies_where_its_centre_is(image):
    folder, _ = image
    ome = json.loads((folder / "zarr.json").read_text())["attributes"]["ome"]
    for level, dataset in enumerate(ome["multiscales"][0]["datasets"]):
        scale, translation = (t[t["type"]] for t in dataset["coordinateTransformations"])
        factor = 2**level
        assert scale[0] == 1
        assert translation[0] == 0
        assert scale[-2:] == [0.25 * factor, 0.25 * factor]
        # The coarse pixel 0 covers the fine pixels 0 to factor - 1; its centre is the mean of theirs.
        assert translation[-1] == pytest.approx(1000 + 0.25 * factor / 2)
        assert translation[-2] == pytest.approx(500 + 0.25 * factor / 2)
        if len(scale) == 4:
            assert (scale[1], translation[1]) == (2.0, 1.0)


def test_labels_say_what_they_are_and_of_what(image):
    folder, _ = image
    label = folder / "labels" / "cells"
    ome = json.loads((label / "zarr.json").read_text())["attributes"]["ome"]
    assert (label / ome["image-label"]["source"]["image"]).resolve() == folder.resolve()
    assert "omero" not in ome
    assert ome["multiscales"][0]["type"] == "nearest"


def test_channels_have_names_colours_and_windows(image):
    folder, _ = image
    channels = json.loads((folder / "zarr.json").read_text())["attributes"]["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["DAPI", "CD3"]
    assert channels[0]["window"]["start"] == 3
    assert channels[1]["window"]["end"] > channels[1]["window"]["start"]


def test_metadata_is_replaced_whole(tmp_path):
    write_labels_group(tmp_path / "labels", ("a",))
    write_labels_group(tmp_path / "labels", ("b",))
    assert [path.name for path in (tmp_path / "labels").iterdir()] == ["zarr.json"]
    assert "b" in (tmp_path / "labels" / "zarr.json").read_text()


def _level(tmp_path, shape=(1, 20, 30), shard=(1, 8, 8), n_channels=None, dtype=np.uint32):
    return create_level(
        tmp_path / "level",
        shape=shape,
        dtype=np.dtype(dtype),
        chunk=(1, 4, 4),
        shard=shard,
        n_channels=n_channels,
    )


@pytest.mark.parametrize(("shape", "shard"), [((1, 20, 30), (1, 8, 8)), ((5, 9, 9), (2, 4, 8))])
@pytest.mark.parametrize("n_channels", [None, 3])
def test_each_block_is_one_file(tmp_path, shape, shard, n_channels):
    level = _level(tmp_path, shape, shard, n_channels)
    grid = Grid(shape, shard)
    files = set()
    for channel in range(n_channels or 1):
        for index in range(grid.n_blocks):
            write = grid.block(index).write
            level.write(write, np.full(write.shape, index + 1, np.uint32), channel)
            assert level.shard_file(write, channel).is_file()
            files.add(level.shard_file(write, channel))
    assert files == {p for p in (tmp_path / "level" / "c").rglob("*") if p.is_file()}
    again = Level.open(tmp_path / "level", is_volume=shape[0] > 1, has_channels=n_channels is not None)
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        assert (again.read(write, (n_channels or 1) - 1) == index + 1).all()


def test_background_is_no_file_and_removes_one(tmp_path):
    level, write = _level(tmp_path), Region((0, 0, 0), (1, 8, 8))
    level.write(write, np.ones(write.shape, np.uint32))
    assert level.shard_file(write).exists()
    level.write(write, np.zeros(write.shape, np.uint32))
    assert not level.shard_file(write).exists()
    assert not level.read(write).any()


@pytest.mark.parametrize("n_channels", [None, 3])
@pytest.mark.parametrize("shape", [(1, 21, 30), (5, 9, 10), (1, 1, 1)])
def test_any_region_is_read_as_zarr_itself_reads_it(tmp_path, shape, n_channels):
    pixels = np.random.default_rng(1).integers(0, 60_000, (n_channels or 1, *shape)).astype(np.uint16)
    level = _level(tmp_path, shape, (2, 8, 8), n_channels, np.uint16)
    grid = Grid(shape, (2, 8, 8))
    for channel in range(n_channels or 1):
        for index in range(grid.n_blocks):
            write = grid.block(index).write
            level.write(write, pixels[channel][write.slices], channel)
    plain = zarr.open_array(tmp_path / "level", mode="r")
    assert np.array_equal(plain[...].reshape(pixels.shape), pixels)
    last = (n_channels or 1) - 1
    for index in range(grid.n_blocks):
        region = grid.block(index).write.grown((1, 3, 5), shape)
        assert np.array_equal(level.read(region, last), pixels[last][region.slices])


def test_an_array_that_was_made_anew_is_opened_anew(tmp_path):
    whole = Region((0, 0, 0), (1, 8, 8))
    for dtype in (np.uint16, np.uint32):
        _level(tmp_path, (1, 8, 8), dtype=dtype).write(whole, np.ones(whole.shape, dtype))
        again = Level.open(tmp_path / "level", is_volume=False, has_channels=False)
        assert again.read(whole).dtype == dtype
        assert again.array is Level.open(tmp_path / "level", is_volume=False, has_channels=False).array
        shutil.rmtree(tmp_path / "level")
    with pytest.raises(FileNotFoundError):
        Level.open(tmp_path / "level", is_volume=False, has_channels=False)


@pytest.mark.parametrize("index", [0, 11])
def test_a_damaged_file_is_no_hindrance(tmp_path, index):
    level = _level(tmp_path)
    write = Grid((1, 20, 30), (1, 8, 8)).block(index).write
    level.write(write, np.ones(write.shape, np.uint32))
    level.shard_file(write).write_bytes(b"torn")
    with pytest.raises(ValueError, match="level: stored pixels cannot be decoded"):
        level.read(write)
    level.write(write, np.full(write.shape, 5, np.uint32))
    assert (level.read(write) == 5).all()


def test_an_array_is_not_written_over(tmp_path):
    _level(tmp_path)
    with pytest.raises(Exception, match="exists"):
        _level(tmp_path)
