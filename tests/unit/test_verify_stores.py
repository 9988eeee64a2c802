"""Stores of a sample are gone through as their plan says, volumes as well as planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_progress import plan_without

from isthmus.blocks.grid import Grid, Triple
from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import create_level, write_image_metadata, write_labels_group
from isthmus.plan.model import SamplePlan
from isthmus.plan.paths import RunPaths
from isthmus.verify.stores import StoreCheck


def made(root: Path, shape: Triple, block_px: Triple) -> SamplePlan:
    """Image and label images of a sample, one instance in the last corner; nothing in the first block is stored."""
    plan = (
        plan_without("")
        .samples["a"]
        .model_copy(update={"grid": Grid(shape, block_px), "shape": (2, *shape), "channels": ("a", "b")})
    )
    of, is_volume = RunPaths(root).sample("a"), shape[0] > 1
    labels = np.zeros(shape, np.uint16)
    labels[-1:, -3:, -2:] = 5
    for folder, n_channels in ((of.image, 2), (of.labels / "nuclei", None), (of.labels / "cells", None)):
        level = create_level(
            folder / "0",
            shape=shape,
            dtype=np.dtype(np.uint16),
            chunk=block_px,
            shard=block_px,
            n_channels=n_channels,
        )
        for index in range(plan.grid.n_blocks):
            region = plan.grid.block(index).write
            for channel in range(n_channels or 1):
                level.write(region, labels[region.slices], channel)
        write_image_metadata(
            folder,
            name="a",
            is_volume=is_volume,
            factors=[(1, 1, 1)],
            affine=Affine.from_size(0.5),
            z_step_um=1.0,
            channels=("a", "b") if n_channels else None,
            windows=((0, 9), (0, 9)),
        )
    write_labels_group(of.labels, ["nuclei", "cells"])
    return plan


def check(root: Path, plan: SamplePlan) -> tuple[StoreCheck, list[str]]:
    done = StoreCheck(plan, RunPaths(root), "a", str, set())
    return done, [str(fault) for fault in done.faults()]


@pytest.mark.parametrize(
    ("shape", "block_px"), [((1, 40, 50), (1, 16, 32)), ((6, 40, 50), (4, 16, 32)), ((2, 8, 9), (2, 16, 32))]
)
def test_whole_stores(tmp_path: Path, shape: Triple, block_px: Triple) -> None:
    done, faults = check(tmp_path, made(tmp_path, shape, block_px))
    assert faults == []
    # Blocks of background are no files.
    assert done.seen.n_decoded == 4
    sums = done.seen.sums["cells"]
    assert (sums.ids.tolist(), sums.pixels.tolist()) == ([5], [6])
    z, y, x = shape
    assert sums.places.tolist() == [[6 * (z - 1), 6 * (y - 2), 3 * (2 * x - 3)]]


def test_a_shape_that_is_not_the_plans(tmp_path: Path) -> None:
    plan = made(tmp_path, (1, 40, 50), (1, 16, 32))
    other = plan.model_copy(update={"grid": Grid((1, 40, 60), (1, 16, 32))})
    done, faults = check(tmp_path, other)
    assert len(faults) == 3
    assert "the array has 40 x 50 pixels instead of 40 x 60" in faults[1]
    assert done.seen.sums == {}


@pytest.mark.parametrize("text", ["", "{}", '{"attributes": {"ome": {"labels": 1}}}'])
def test_metadata_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    plan = made(tmp_path, (1, 40, 50), (1, 16, 32))
    (RunPaths(tmp_path).sample("a").labels / "zarr.json").write_text(text)
    _, faults = check(tmp_path, plan)
    assert len(faults) == 1
    assert "a/image.ome.zarr/labels/zarr.json: the OME metadata cannot be read; delete it" in faults[0]


def test_levels_that_are_not_listed(tmp_path: Path) -> None:
    plan = made(tmp_path, (1, 40, 50), (1, 16, 32))
    of = RunPaths(tmp_path).sample("a")
    write_labels_group(of.labels, ["cells"])
    _, faults = check(tmp_path, plan)
    assert len(faults) == 1
    assert "list cells instead of nuclei, cells" in faults[0]


def test_a_harmed_label_image_is_not_summed(tmp_path: Path) -> None:
    plan = made(tmp_path, (6, 40, 50), (4, 16, 32))
    of = RunPaths(tmp_path).sample("a")
    files = [path for path in (of.labels / "nuclei" / "0" / "c").rglob("*") if path.is_file()]
    assert len(files) == 1
    files[0].write_bytes(files[0].read_bytes()[:-7])
    done, faults = check(tmp_path, plan)
    assert ["cannot be decoded" in fault for fault in faults] == [True]
    assert set(done.seen.sums) == {"cells"}
