"""Ids of imported label images: what can be kept is kept, the rest is refused with its place."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.blocks.grid import Grid, Region
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import create_level
from isthmus.image.source import ImageHeader, ImagePart
from isthmus.segment.block import LOCAL_DTYPE, ImportJob, import_block
from isthmus.segment.imported import MAX_ID, check_ids
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import keep_ids, label_dtype

WHOLE = Region((0, 0, 0), (1, 16, 16))


class _Stored:
    def __init__(self, labels):
        self._labels = labels

    def read(self, channel, window):
        return self._labels[window]


def _import(folder, labels):
    grid = Grid(WHOLE.shape, (1, 16, 16))
    size = {"shape": grid.shape, "chunk": (1, 16, 16), "shard": (1, 16, 16)}
    create_level(folder / "local", dtype=LOCAL_DTYPE, **size)
    header = ImageHeader((1, *labels.shape), labels.dtype.name, ("labels",), Affine.from_size(1.0))
    part = ImagePart(header, lambda: _Stored(labels), ())
    window = Region((0, 2, 3), (1, 18, 19))
    record = import_block(ImportJob(part, window, folder / "local", grid, "row 2, column labels"), 0).record
    return keep_ids({0: BlockRecord.from_bytes(record)}, grid)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_a_background_below_zero_is_refused_with_its_place(tmp_path, dtype):
    labels = np.zeros((1, 20, 20), dtype)
    labels[0, 7, 9] = -1
    with pytest.raises(UserError) as caught:
        _import(tmp_path, labels)
    line = str(caught.value)
    assert line.startswith("row 2, column labels")
    assert "id -1 at z 0, y 7, x 9" in line
    assert "make the background 0" in line


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "uint64"])
def test_ids_that_can_be_kept_are(tmp_path, dtype):
    labels = np.zeros((1, 20, 20), dtype)
    largest = 1 if dtype == "bool" else min(MAX_ID, np.iinfo(dtype).max)
    labels[0, 5:8, 5:8] = largest
    lookup = _import(tmp_path, labels)
    assert lookup.max_id == largest
    assert lookup.ids.tolist() == [largest]


def test_an_id_of_more_than_63_bits_is_refused():
    labels = np.zeros((1, 2, 2), np.uint64)
    labels[0, 1, 0] = MAX_ID
    check_ids(labels, (0, 0, 0), "labels")
    labels[0, 1, 1] = MAX_ID + 1
    with pytest.raises(UserError, match=f"id {MAX_ID + 1} at z 3, y 5, x 7"):
        check_ids(labels, (3, 4, 6), "labels")


def test_no_pixels_have_no_wrong_ids():
    check_ids(np.zeros((0, 4, 4), np.int32), (0, 0, 0), "labels")


@pytest.mark.parametrize("max_id", [0, 255, 256, 2**16, 2**32, 2**41, MAX_ID])
def test_label_images_can_be_made_for_any_ids(tmp_path, max_id):
    size = {"shape": WHOLE.shape, "chunk": (1, 16, 16), "shard": (1, 16, 16)}
    level = create_level(tmp_path / "labels", dtype=label_dtype(max_id), **size)
    level.write(WHOLE, np.full(WHOLE.shape, max_id, dtype=level.array.dtype))
    assert (level.read(WHOLE) == max_id).all()
