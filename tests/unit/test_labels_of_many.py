"""Imported labels of samples of many images: those of a stack's planes, of a folder, and the vendor's outlines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import anndata
import compare
import merscope_folder
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from in_process import run_here
from study import Study

from isthmus.blocks.stack import Stack
from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.readers.registry import read_sample
from isthmus.segment.record import make_record
from isthmus.segment.stitch import number_ids

Labels = npt.NDArray[np.int64]
OPTIONS = {"segmentation": {"method": "labels"}, "cells": {"expand_um": 2.0}}


@given(
    images=st.lists(
        st.lists(st.lists(st.integers(0, 6), min_size=6, max_size=6), min_size=2, max_size=2),
        min_size=1,
        max_size=4,
    )
)
def test_ids_are_ranks_by_image_then_by_id(images: list[list[list[int]]]) -> None:
    """Each image has two rows of 6 pixels, in blocks of 1 x 4."""
    stack = Stack.of([(1, 2, 6)] * len(images), (1, 1, 4))
    wanted = sorted({(k, id_) for k, rows in enumerate(images) for row in rows for id_ in row if id_})
    records = {}
    for block in range(stack.n_blocks):
        place = stack.locate(block)
        write = place.grid.block(place.index).write
        pixels = np.array(images[place.image])[np.newaxis][write.slices]
        ids = np.unique(pixels[pixels > 0])
        local = np.searchsorted(ids, pixels).astype(np.int32) + 1
        local[pixels == 0] = 0
        none = np.empty(0, dtype=np.int64)
        records[block] = make_record(local, ids.astype(np.int64), none, ring_px=(0, 0, 0))
    found = number_ids(records, stack)
    assert found.given is not None
    first = np.array(stack.first_pixels())
    of_image = np.searchsorted(first, found.roots, side="right") - 1
    assert list(zip(of_image.tolist(), found.given.tolist(), strict=True)) == wanted
    assert np.all(np.diff(found.roots) > 0)
    assert found.max_id == found.n_instances == len(wanted)
    for block, record in records.items():
        image = stack.locate(block).image
        numbers = found.ids[found.offsets[block] : found.offsets[block + 1]].tolist()
        assert numbers == [wanted.index((image, id_)) + 1 for id_ in record.roots.tolist()]


def _truth(seed: int, shape: tuple[int, int] = (280, 300)) -> Labels:
    """Squares with ids that have gaps, some of them across the borders of blocks."""
    made = np.zeros(shape, dtype=np.int64)
    for number, (row, column) in enumerate(np.ndindex(7, 7)):
        top, left = row * 40 + 3 * seed, column * 42 + 5
        made[top : top + 20 + number % 5, left : left + 24] = 10 * number + seed + 1
    return made


def _store(results: Path, image: str, name: str) -> Labels:
    path = results / "a" / "image.ome.zarr" / image / "labels" / name / "0"
    return np.asarray(zarr.open_array(path, mode="r")[:]).astype(np.int64)


def _assert_same(one: anndata.AnnData, other: anndata.AnnData) -> None:
    """Values of cells, but for the names and numbers that they have."""
    free = ["instance_id", "image", "plane", "touches_seam", "vendor_cell_id", "qc_reason"]
    left, right = (
        table.obs.drop(columns=[name for name in free if name in table.obs]).reset_index(drop=True)
        for table in (one, other)
    )
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    np.testing.assert_array_equal(one.obsm["spatial"], other.obsm["spatial"])
    left, right = (table.obsm["intensity"].reset_index(drop=True) for table in (one, other))
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def _image(truth: Labels) -> npt.NDArray[np.uint16]:
    return (100 + 7 * (truth % 50) + np.arange(truth.size).reshape(truth.shape) % 13).astype(np.uint16)


@pytest.mark.parametrize("kind", ["planes", "files"])
def test_each_image_has_the_cells_that_it_has_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    truths = [_truth(0), _truth(1)]
    # One picture moved, so that the histogram of one and of both tell the same background.
    images = [np.roll(_image(truths[0]), 3 * number, axis=0) for number in range(2)]
    row = {"sample": "a", "pixel_size_um": "0.5", "image": str(tmp_path / "i"), "labels": str(tmp_path / "l")}
    options = dict(OPTIONS)
    if kind == "planes":
        row |= {"z_step_um": "1.5"}
        options |= {"image": {"z": "each"}}
        for name, stack in (("image", images), ("labels", truths)):
            file = tmp_path / f"{name}.tif"
            pixels = np.stack(stack).astype(np.uint16)
            tifffile.imwrite(file, pixels, metadata={"axes": "ZYX"}, photometric="minisblack")
            row[name] = str(file)
        names = ["z0", "z1"]
    else:
        row["reader"] = "images"
        names = ["left", "right"]
        for folder, pixels in (("i", images), ("l", truths)):
            (tmp_path / folder).mkdir()
            for name, plane in zip(names, pixels, strict=True):
                tifffile.imwrite(tmp_path / folder / f"{name}.tif", plane.astype(np.uint16))
    both = run_here(Study(tmp_path / "both", [row], options), {"execution.block_px": 256}, monkeypatch)
    table = compare.cells(both)
    for number, (name, truth) in enumerate(zip(names, truths, strict=True)):
        alone_row = {"sample": "a", "pixel_size_um": "0.5"}
        for column, pixels in (("image", images[number]), ("labels", truth)):
            file = tmp_path / f"{column}-{number}.tif"
            tifffile.imwrite(file, pixels.astype(np.uint16))
            alone_row[column] = str(file)
        alone = run_here(
            Study(tmp_path / name, [alone_row], OPTIONS), {"execution.block_px": 512}, monkeypatch
        )
        mine, other = table[(table.obs["image"] == name).to_numpy()].copy(), compare.cells(alone)
        assert mine.obs["vendor_cell_id"].astype(int).tolist() == other.obs["instance_id"].tolist()
        _assert_same(mine, other)
        ours = np.concatenate([[0], mine.obs["instance_id"]])
        theirs = np.concatenate([[0], other.obs["instance_id"]])
        for labels in ("nuclei", "cells"):
            wanted = compare.labels(alone, labels).astype(np.int64)
            np.testing.assert_array_equal(_store(both, name, labels), ours[np.searchsorted(theirs, wanted)])
        np.testing.assert_array_equal(compare.labels(alone, "nuclei"), truth)
    assert table.n_obs == 98


def test_the_vendors_outlines_of_each_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    region = merscope_folder.write_region(tmp_path / "region")
    row = {"sample": "a", "image": str(region)}
    options = {"image": {"z": "each"}, "segmentation": {"method": "labels"}}
    results = run_here(Study(tmp_path / "study", [row], options), {}, monkeypatch)
    table, truth = compare.cells(results), merscope_folder.truth()
    key = list(zip(table.obs["plane"].astype(int), table.obs["vendor_cell_id"].astype(int), strict=True))
    assert sorted(key) == sorted((z, cell) for z in range(3) for cell in merscope_folder.EDGES)
    for z in range(merscope_folder.N_PLANES):
        found = _store(results, f"z{z}", "cells")
        names = np.zeros(table.n_obs + 1, dtype=np.int64)
        names[table.obs["instance_id"]] = table.obs["vendor_cell_id"].astype(np.int64)
        np.testing.assert_array_equal(names[found], truth[z])
    wanted = Counter((z, cell) for cell, *_, z, _ in merscope_folder.points() if cell)
    assert dict(zip(key, table.obs["n_counts"].tolist(), strict=True)) == dict(wanted)


def test_outlines_in_a_window_of_each_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    region = merscope_folder.write_region(tmp_path / "region")
    (left, top), (right, bottom) = merscope_folder.to_um([15.5, 70.5], [10.5, 60.5]).tolist()
    options = {
        "image": {"z": "each", "region_um": [left, top, right, bottom]},
        "segmentation": {"method": "labels"},
    }
    study = Study(tmp_path / "study", [{"sample": "a", "image": str(region)}], options)
    results = run_here(study, {}, monkeypatch)
    table = compare.cells(results)
    names = np.zeros(table.n_obs + 1, dtype=np.int64)
    names[table.obs["instance_id"]] = table.obs["vendor_cell_id"].astype(np.int64)
    for z in range(merscope_folder.N_PLANES):
        found = names[_store(results, f"z{z}", "cells")]
        np.testing.assert_array_equal(found, merscope_folder.truth()[z, 10:61, 15:71])


def _read(folder: Path, labels: Path) -> object:
    return read_sample(
        Sample(sample="s", image=folder, labels=labels, where="row 2", reader="images", pixel_size_um=0.5)
    )


def test_a_missing_label_image_is_named(tmp_path: Path) -> None:
    for folder, names in (("i", "abc"), ("l", "a")):
        (tmp_path / folder).mkdir()
        for name in names:
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", np.ones((4, 5), np.uint8))
    with pytest.raises(
        UserError, match=r"row 2, column labels.* no label image of image b \(nor of 1 others\)"
    ):
        _read(tmp_path / "i", tmp_path / "l")
    with pytest.raises(UserError, match="is no set of label images, and the sample has 3 images"):
        _read(tmp_path / "i", tmp_path / "i" / "a.tif")


def test_a_label_image_of_another_size_is_named(tmp_path: Path) -> None:
    for folder, width in (("i", 5), ("l", 6)):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", np.ones((4, width), np.uint8))
    with pytest.raises(UserError, match="row 2, column labels, image a: label image"):
        _read(tmp_path / "i", tmp_path / "l")
