"""Pictures of volumes in the report: true proportions, the brightest voxels, none for planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from report_folder import make_results

from isthmus.image.ome_zarr import Level
from isthmus.report.depth import DepthPictures, draw_depth, project
from isthmus.report.gather import SampleResults, read_run
from isthmus.report.page import render


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleResults:
    paths = make_results(tmp_path_factory.mktemp("r"), planes=6, channels=("DNA", "actin"))
    return read_run(paths.root).samples[0]


def drawn(sample: SampleResults) -> DepthPictures:
    made = draw_depth(sample, [0, 1], 700)
    assert made is not None
    return made


def test_the_projection_holds_the_brightest_voxels(sample: SampleResults) -> None:
    shape = sample.plan.window.shape
    level = Level.open(sample.paths.image / "0", is_volume=True, has_channels=True)
    whole = level.read(sample.plan.grid.block(0).write.grown(shape, shape), 1)
    assert np.array_equal(project(sample, 1, 0, shape), whole.max(axis=0))


def test_slices_have_true_proportions(sample: SampleResults) -> None:
    z_um, y_um, x_um = sample.plan.spacing_um
    nz, ny, nx = sample.plan.window.shape
    made = drawn(sample)
    assert (made.xz.width, made.yz.width) == (nx, ny)
    assert made.xz.height == round(nz * z_um / x_um)
    assert made.yz.height == round(nz * z_um / y_um)
    assert (made.projection.width, made.projection.height) == (nx, ny)


def test_planes_have_no_depth(tmp_path: Path) -> None:
    run = read_run(make_results(tmp_path).root)
    assert draw_depth(run.samples[0], [0], 700) is None
    assert "brightest voxel" not in render(run)


def test_the_page_shows_a_volume_along_its_axes(tmp_path: Path) -> None:
    run = read_run(make_results(tmp_path, planes=6, transcripts=False).root)
    html = render(run)
    assert html.count("brightest voxel of every column") == 1
    assert "Slice along x and z, through the middle" in html
