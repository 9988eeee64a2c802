"""Both passes on stored images: label pixels, ids, sums and counts do not depend on the blocks."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import pytest
from binned import bin_points
from block_store import (
    PixelsAreLandscape,
    assert_same_completed,
    assert_same_counts,
    assert_same_sums,
    count_rows,
    read_labels,
    run_blocks,
)
from oracle import oracle_labels
from synthetic import Tissue

from isthmus.blocks.grid import Grid, Region
from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import Level, create_level
from isthmus.image.source import ImageHeader, ImagePart
from isthmus.image.survey import ChannelSurvey
from isthmus.quantify.measure import Measures
from isthmus.segment.basins import BasinsMethod, BasinsSettings, derive_parameters
from isthmus.segment.block import LOCAL_DTYPE, ImportJob, SegmentJob, import_block, segment_block
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import keep_ids

SHAPE = (70, 90)


def _same(one, other):
    assert np.array_equal(one.nuclei, other.nuclei)
    assert np.array_equal(one.cells, other.cells)
    assert_same_sums(one.sums, other.sums)
    assert_same_completed(one.completed, other.completed)
    assert_same_counts(one.counts, other.counts)


@pytest.mark.parametrize("expand_um", [0.0, 3.0, 9.5])
def test_a_plane(tmp_path, expand_um):
    pixels = Tissue(seed=3).image(SHAPE, n_channels=3)
    method = PixelsAreLandscape(above=260)
    options = {"method": method, "min_area_px": 9, "expand_um": expand_um, "spacing_um": (1.0, 0.9, 1.1)}
    options["measures"] = Measures((50.0, 0.5), texture=True)
    whole = run_blocks(tmp_path / "whole", pixels, (1, *SHAPE), **options)
    wanted = oracle_labels(method.landscape(pixels[0]), radius_px=method.merge_radius_px, min_area_px=9)
    assert np.array_equal(whole.nuclei, wanted)
    assert whole.lookup.n_instances > 20
    assert np.array_equal(np.unique(whole.cells[whole.cells > 0]), whole.sums.ids)
    for block_px in [(1, 16, 16), (1, 37, 23), (1, 3, 90), (1, 128, 128)]:
        _same(run_blocks(tmp_path / f"{block_px}", pixels, block_px, **options), whole)


@pytest.mark.parametrize("spacing_um", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.9)])
def test_a_volume(tmp_path, spacing_um):
    random = np.random.default_rng(4)
    pixels = random.integers(0, 900, (2, 7, 18, 20)).astype(np.uint16)
    pixels[0][random.random((7, 18, 20)) < 0.7] = 0
    method = PixelsAreLandscape(merge_radius_px=(1.0, 2.0, 2.0), is_volume=True)
    options = {"method": method, "expand_um": 2.6, "spacing_um": spacing_um, "min_area_px": 2}
    options["measures"] = Measures((50.0,), texture=True)
    whole = run_blocks(tmp_path / "whole", pixels, (7, 18, 20), **options)
    wanted = oracle_labels(method.landscape(pixels[0]), radius_px=method.merge_radius_px, min_area_px=2)
    assert np.array_equal(whole.nuclei, wanted)
    for block_px in [(1, 8, 8), (4, 5, 20), (64, 16, 16)]:
        _same(run_blocks(tmp_path / f"{block_px}", pixels, block_px, **options), whole)


def _basins(pixels):
    survey = ChannelSurvey(np.bincount(pixels.reshape(-1), minlength=65_536))
    settings = BasinsSettings(nucleus_diameter_um=8.0)
    return BasinsMethod(
        channel=0, parameters=derive_parameters(settings, pixel_size_um=(1.0, 1.0, 1.0), survey=survey)
    )


def test_the_method_basins_on_tissue(tmp_path):
    tissue = Tissue(seed=8)
    pixels = tissue.image((150, 190))
    options = {"method": _basins(pixels[0]), "min_area_px": 15, "expand_um": 4.0}
    whole = run_blocks(tmp_path / "whole", pixels, (1, 150, 190), **options)
    for block_px in [(1, 64, 64), (1, 50, 190), (1, 91, 33)]:
        _same(run_blocks(tmp_path / f"{block_px}", pixels, block_px, **options), whole)
    n_true = np.unique(tissue.truth(Region((0, 0, 0), (1, 150, 190)))).size - 1
    assert 0.7 * n_true < whole.lookup.n_instances < 1.3 * n_true


def test_an_empty_image_leaves_no_label_files(tmp_path):
    pixels = np.zeros((1, 1, 40, 40), dtype=np.uint16)
    done = run_blocks(tmp_path, pixels, (1, 16, 16), method=PixelsAreLandscape())
    assert not done.cells.any()
    assert done.sums.ids.size == 0
    for name in ("local", "nuclei", "cells"):
        assert [path.name for path in (tmp_path / name).rglob("*") if path.is_file()] == ["zarr.json"]


def test_an_image_of_one_pixel(tmp_path):
    done = run_blocks(
        tmp_path, np.full((1, 1, 1, 1), 9, np.uint8), (1, 256, 256), method=PixelsAreLandscape()
    )
    assert done.cells.tolist() == [[[1]]]
    assert done.sums.intensity[0, 0, 0].tolist() == [9, 81]
    assert done.sums.flags.tolist() == [[False, True]]


def test_a_block_that_lost_its_labels_loses_its_files(tmp_path):
    pixels = np.zeros((1, 1, 8, 16), dtype=np.uint16)
    pixels[..., 2, 2] = pixels[..., 2, 12] = 50
    done = run_blocks(tmp_path, pixels, (1, 8, 8), method=PixelsAreLandscape(), expand_um=1.0)
    assert done.cells.max() == 2
    grid = Grid((1, 8, 16), (1, 8, 8))
    job = SegmentJob(tmp_path / "image", tmp_path / "local", grid, PixelsAreLandscape(above=100))
    result = segment_block(job, 0)
    assert not any(file.exists() for file in result.files)
    assert not read_labels(tmp_path / "local", grid)[..., :8].any()


@pytest.mark.parametrize("name", ["local", "nuclei", "cells"])
def test_a_damaged_shard_is_written_anew(tmp_path, name):
    pixels = Tissue(seed=3).image((40, 50))
    options = {"method": PixelsAreLandscape(above=260)}
    done = run_blocks(tmp_path, pixels, (1, 32, 32), **options)
    grid = Grid((1, 40, 50), (1, 32, 32))
    before = read_labels(tmp_path / name, grid)
    level = Level.open(tmp_path / name, is_volume=False, has_channels=False, mode="r+")
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        shard = level.shard_file(write)
        shard.write_bytes(shard.read_bytes()[:7])
        level.write(write, before[write.slices].astype(level.array.dtype))
    assert np.array_equal(read_labels(tmp_path / name, grid), before)
    assert done.lookup.n_instances > 0


def test_transcripts_are_counted_where_they_lie(tmp_path):
    tissue, shape, n_genes = Tissue(seed=5), (60, 80), 5
    pixels = tissue.image(shape)
    points = tissue.transcripts(shape, per_nucleus=30, n_genes=n_genes)
    n = points["y"].size
    qv = np.where(np.arange(n) % 5 == 0, 10.0, 30.0).astype(np.float32)
    qv[::7] = np.inf
    qv[::11] = np.nan
    folder = tmp_path / "points"
    bin_points(folder, points | {"qv": qv}, (1, *shape), runs=3)
    options = {"method": PixelsAreLandscape(above=260), "points": folder, "n_features": n_genes}
    whole = run_blocks(tmp_path / "whole", pixels, (1, *shape), **options)
    expected: dict[tuple[int, int], list[int]] = {}
    low = Counter[int]()
    for y, x, gene, quality in zip(points["y"], points["x"], points["gene"], qv, strict=True):
        cell, outside = int(whole.cells[0, y, x]), int(whole.nuclei[0, y, x] == 0)
        if cell and quality >= 20:
            expected.setdefault((cell, int(gene)), [0, 0])[outside] += 1
        elif cell:
            low[cell] += 1
    assert count_rows(whole.counts, whole.sums.ids) == [[*key, *expected[key]] for key in sorted(expected)]
    assert whole.counts.n_low_quality.tolist() == [low[i] for i in whole.sums.ids.tolist()]
    for block_px in [(1, 16, 16), (1, 13, 80)]:
        _same(run_blocks(tmp_path / f"{block_px}", pixels, block_px, **options), whole)


def test_imported_labels_keep_ids_and_shapes(tmp_path):
    random = np.random.default_rng(1)
    labels = np.kron(random.integers(0, 6, (5, 6)), np.ones((7, 7), int)).astype(np.uint32) * 40_000
    labels[labels == 80_000] = 0
    grid = Grid((1, 35, 42), (1, 16, 16))
    create_level(
        tmp_path / "local", shape=grid.shape, dtype=LOCAL_DTYPE, chunk=(1, 16, 16), shard=(1, 16, 16)
    )
    part = ImagePart(
        ImageHeader((1, 1, 50, 60), "uint32", ("labels",), Affine.from_size(1.0)),
        partial(_Shifted, labels),
        (),
    )
    job = ImportJob(part, Region((0, 3, 4), (1, 38, 46)), tmp_path / "local", grid)
    records = {i: BlockRecord.from_bytes(import_block(job, i).record) for i in range(grid.n_blocks)}
    lookup = keep_ids(records, grid)
    local = read_labels(tmp_path / "local", grid)
    found = np.zeros_like(local)
    for i in range(grid.n_blocks):
        write = grid.block(i).write
        ids = np.concatenate([[0], lookup.ids[lookup.offsets[i] : lookup.offsets[i + 1]]])
        found[write.slices] = ids[local[write.slices]]
    assert np.array_equal(found[0], labels)
    assert lookup.n_instances == np.unique(labels[labels > 0]).size
    assert lookup.max_id == labels.max()


class _Shifted:
    """A label image whose window begins at row 3, column 4."""

    def __init__(self, labels):
        self._labels = np.pad(labels, ((3, 12), (4, 14)))[np.newaxis]

    def read(self, channel, window):
        return self._labels[window]
