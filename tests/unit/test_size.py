"""The size of nuclei as a survey measures it: near the truth, from windows that no block has a say in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.blocks.grid import Grid, Region
from isthmus.config.models import Settings
from isthmus.config.presets import PRESETS
from isthmus.config.segmentation import BasinsOptions, SegmentationOptions
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.image.survey import ChannelSurvey
from isthmus.launch.sizes import borders_of
from isthmus.segment.size import LEAST_UM, MOST_UM, MOST_WINDOWS, choose_windows, measure_diameter
from isthmus.steps.survey_image import with_measured_diameter

CULTURE = PRESETS["culture"]
HEADER = ImageHeader((1, 1, 3000, 4000), "uint16", ("DAPI",), Affine.from_size(0.5))


def _balls(shape, radius, spacing=(1.0, 1.0, 1.0)):
    """Bright balls (z, y, x) of one radius on a grid; lengths in units of the spacing. In one plane: discs."""
    away = np.zeros(shape)
    for axis, (place, size) in enumerate(zip(np.indices(shape), spacing, strict=True)):
        pitch = max(1, round(2.6 * radius / size))
        if shape[axis] > 1:
            away += ((place % pitch - pitch // 2) * size) ** 2
    return np.where(away < radius**2, 3000, 100).astype(np.uint16)


def _survey(pixels):
    return ChannelSurvey(np.bincount(pixels.reshape(-1), minlength=65_536).astype(np.int64))


def _measured(pixels, start_um=8.0, spacing_um=(1.0, 0.5, 0.5)):
    settings = replace(CULTURE, nucleus_diameter_um=start_um)
    return measure_diameter([pixels], settings, spacing_um=spacing_um, survey=_survey(pixels))


@pytest.mark.parametrize("diameter_um", [7.0, 10.0, 16.0, 24.0])
def test_the_diameter_is_found_from_far_off(diameter_um):
    pixels = _balls((1, 400, 400), diameter_um)  # half a micrometre a pixel: the radius in pixels
    for start_um in (6.0, 12.0):
        assert _measured(pixels, start_um) == pytest.approx(0.8 * diameter_um, abs=1.0)


def test_a_volume_of_balls():
    pixels = _balls((24, 96, 96), 6.0, spacing=(1.0, 0.5, 0.5))
    assert _measured(pixels) == pytest.approx(0.8 * 12.0, abs=1.5)


@pytest.mark.parametrize("value", [0, 700])
def test_without_nuclei_the_diameter_stays(value):
    assert _measured(np.full((1, 64, 64), value, np.uint16), 9.0) == 9.0


def test_very_small_and_very_large_nuclei_end_at_the_bounds():
    assert _measured(_balls((1, 200, 200), 3.0)) == LEAST_UM
    assert _measured(_balls((1, 600, 600), 80.0), 24.0) == MOST_UM


@given(n_x=st.integers(1, 70), seed=st.integers(0, 99))
def test_windows_are_parts_of_the_image_and_of_its_brighter_half(n_x, seed):
    grid = Grid((1, 1500, 1024 * n_x - 5), (1, 1024, 1024))
    brightness = np.random.default_rng(seed).integers(0, 5, grid.n_blocks)
    windows = choose_windows(grid, brightness)
    parts = {grid.block(index).write: int(brightness[index]) for index in range(grid.n_blocks)}
    assert len(windows) == len(set(windows)) == min(MOST_WINDOWS, (grid.n_blocks + 1) // 2)
    assert min(parts[window] for window in windows) >= np.median(brightness) - 1e-9


def test_of_a_volume_the_middle_of_a_part_is_read():
    grid = Grid((70, 600, 100), (64, 512, 512))
    assert choose_windows(grid, np.array([5, 1, 0, 0]))[0] == Region((16, 128, 0), (48, 384, 100))
    assert choose_windows(Grid((3, 40, 50), (64, 512, 512)), np.array([1])) == [
        Region((0, 0, 0), (3, 40, 50))
    ]


def test_what_the_survey_found_replaces_what_was_expected():
    options = SegmentationOptions(basins=BasinsOptions(preset="culture"))
    assert with_measured_diameter(options, {"channels": {}}) is options
    found = with_measured_diameter(options, {"nucleus_diameter_um": 11.5}).basins.settings()
    assert found == replace(CULTURE, nucleus_diameter_um=11.5)


def test_a_plan_reserves_the_border_of_the_largest_nuclei_that_may_be_found():
    def halo_px(**options):
        settings = Settings(
            samples=Path("s.tsv"), segmentation=SegmentationOptions(basins=BasinsOptions(**options))
        )
        return borders_of(settings, HEADER).halo_px

    assert halo_px(preset="culture") == halo_px(preset="culture", nucleus_diameter_um=5.0)
    fixed = {"preset": "culture", "measure_diameter": False}
    assert halo_px(preset="culture") == halo_px(**fixed, nucleus_diameter_um=MOST_UM)
    assert halo_px(preset="culture")[1] > 2 * halo_px(**fixed)[1]
