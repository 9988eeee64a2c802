"""Presets of `basins`: which values they stand for, and that they do what their names say."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from whole import segment_whole

from isthmus.config.presets import PRESETS, BasinsSettings
from isthmus.config.segmentation import BasinsOptions, SegmentationOptions
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.basins import BasinsMethod, derive_parameters
from isthmus.segment.size import measure_diameter

DOCS = Path(__file__).parents[2] / "docs" / "segmentation.md"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_what_is_not_given(name):
    options = BasinsOptions(preset=name, roundness=0.7, groove_depth=None)
    assert asdict(options.settings()) == asdict(PRESETS[name]) | {"roundness": 0.7}


def test_tissue_is_the_default():
    assert BasinsOptions().settings() == PRESETS["tissue"] == BasinsSettings()


def test_records_show_the_values_that_were_used():
    dumped = SegmentationOptions(basins=BasinsOptions(preset="culture")).model_dump(mode="json")["basins"]
    for field in fields(BasinsSettings):
        assert dumped[field.name] == getattr(PRESETS["culture"], field.name)
    assert BasinsOptions.model_validate(json.loads(json.dumps(dumped))).settings() == PRESETS["culture"]


@pytest.mark.parametrize("given", [{"preset": "cultur"}, {"preset": 3}, {"preset": ["tissue"]}, "tissue", 7])
def test_what_is_no_preset_is_refused(given):
    with pytest.raises(ValidationError):
        BasinsOptions.model_validate(given)


def test_a_value_out_of_bounds_is_refused_whatever_the_preset():
    with pytest.raises(ValidationError, match="size_range"):
        BasinsOptions.model_validate({"preset": "culture", "size_range": 9.0})


def test_every_preset_is_within_the_bounds_of_the_options():
    for preset in PRESETS.values():
        BasinsOptions.model_validate(asdict(preset))


def test_the_documents_have_the_table_of_presets():
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    for field in fields(BasinsSettings):
        values = " | ".join(_written(getattr(preset, field.name)) for preset in PRESETS.values())
        assert f"| `{field.name}` | {values} |" in lines
    assert "| | " + " | ".join(f"`{name}`" for name in PRESETS) + " |" in lines


def _written(value):
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:g}"


def _discs(shape, radii, seed, signal=1500.0):
    """Nuclei on a jittered grid without noise (y, x), and their true labels; lengths in pixels."""
    random = np.random.default_rng(seed)
    y, x = np.indices(shape)
    pixels, truth = np.zeros(shape), np.zeros(shape, np.int64)
    pitch = int(2.6 * max(radii))
    for cy in range(pitch // 2, shape[0] - pitch // 3, pitch):
        for cx in range(pitch // 2, shape[1] - pitch // 3, pitch):
            away = np.hypot(y - cy - random.uniform(-2, 2), x - cx - random.uniform(-2, 2))
            radius = random.uniform(*radii)
            inside = np.clip(radius - away + 0.5, 0, 1)
            pixels = np.maximum(pixels, signal * random.uniform(0.6, 1.4) * inside)
            truth[away < radius] = truth.max() + 1
    return pixels, truth


def _labels(pixels, options, size_um):
    survey = ChannelSurvey(np.bincount(pixels.reshape(-1), minlength=65_536))
    settings = options.settings()
    if settings.measure_diameter:
        spacing_um = (1.0, size_um, size_um)
        diameter = measure_diameter([pixels[None]], settings, spacing_um=spacing_um, survey=survey)
        settings = replace(settings, nucleus_diameter_um=diameter)
    parameters = derive_parameters(settings, pixel_size_um=(1.0, size_um, size_um), survey=survey)
    labels = segment_whole(BasinsMethod(channel=0, parameters=parameters), pixels[None])
    small = np.bincount(labels.reshape(-1)) * size_um**2 < settings.min_area_um2
    return np.where(small[labels], 0, labels)[0]


def _f1(truth, labels):
    """Objects that share more than half of their union, as F1."""
    wide = int(labels.max()) + 1
    shared = np.bincount((truth * wide + labels).reshape(-1), minlength=(int(truth.max()) + 1) * wide)
    shared = shared.reshape(-1, wide)
    of_truth, of_labels = shared.sum(1), shared.sum(0)
    union = of_truth[1:, None] + of_labels[None, 1:] - shared[1:, 1:]
    hits = np.count_nonzero(shared[1:, 1:] * 2 > union)
    return 2 * hits / (np.count_nonzero(of_truth[1:]) + np.count_nonzero(of_labels[1:]))


def _noisy(clean, seed=3):
    return np.clip(np.random.default_rng(seed).poisson(clean), 0, 65535).astype(np.uint16)


@pytest.mark.parametrize(
    ("name", "radii"),
    [("tissue", (6, 9)), ("culture", (6, 18)), ("small_nuclei", (4, 6)), ("large_nuclei", (13, 20))],
)
def test_a_preset_finds_the_nuclei_that_it_is_for(name, radii):
    pixels, truth = _discs((300, 320), radii, seed=1)
    assert _f1(truth, _labels(_noisy(pixels + 200), BasinsOptions(preset=name), 0.5)) > 0.95


@pytest.mark.parametrize("preset", ["tissue", "culture"])
def test_the_same_image_in_finer_pixels_gives_nearly_the_same_nuclei(preset):
    pixels, _ = _discs((400, 420), (10, 18), seed=2)
    fine = _noisy(pixels + 200)
    coarse = np.rint(fine.reshape(200, 2, 210, 2).mean((1, 3))).astype(np.uint16)
    options = BasinsOptions(preset=preset)
    again = _labels(coarse, options, 0.5).repeat(2, axis=0).repeat(2, axis=1)
    assert _f1(_labels(fine, options, 0.25), again) > 0.97


def _ramp(shape):
    return np.broadcast_to(np.linspace(200, 9000, shape[1]), shape)


def _vignette(shape):
    y, x = (np.linspace(-1, 1, n) for n in shape)
    return 1 - 0.35 * (y[:, None] ** 2 + x**2)


@pytest.mark.parametrize("kind", ["ramp", "vignette"])
def test_an_uneven_background(kind):
    pixels, truth = _discs((300, 340), (6, 9), seed=4)
    light = pixels + _ramp(pixels.shape) if kind == "ramp" else (pixels + 1200) * _vignette(pixels.shape)
    image = _noisy(light)
    scores = {
        name: _f1(truth, _labels(image, BasinsOptions(preset=name), 0.5))
        for name in ("tissue", "uneven_background")
    }
    assert scores["uneven_background"] > 0.9
    assert scores["uneven_background"] > scores["tissue"]


@pytest.mark.parametrize("name", PRESETS)
def test_documented_halos_are_those_of_the_presets(name):
    survey = ChannelSurvey(np.bincount([100] * 90 + [2000] * 10, minlength=65_536).astype(np.int64))
    halos = []
    for size_um in (0.5, 0.2125):
        parameters = derive_parameters(PRESETS[name], pixel_size_um=(1.0, size_um, size_um), survey=survey)
        halos.append(str(BasinsMethod(channel=0, parameters=parameters).halo_px[1]))
    lines = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}`")]
    assert any(line.endswith(f"| {' | '.join(halos)} |") for line in lines)
