"""The certificate of `basins` itself, with the border that it asks for and with less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from block_store import Finished, run_blocks
from scipy.ndimage import gaussian_filter

from isthmus.blocks.grid import Region, Triple
from isthmus.certify.compare import compare_windows
from isthmus.certify.uncut import UncutJob, first_reach_px
from isthmus.certify.windows import choose_windows
from isthmus.config.segmentation import BasinsOptions
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.basins import BasinsMethod, make_method

SPACING_UM = (2.5, 2.0, 2.0)


@dataclass(frozen=True)
class Nearsighted(BasinsMethod):
    """`basins` that declares a border which is `missing` pixels too small in the plane."""

    missing: int = 0

    @property
    def halo_px(self) -> Triple:
        z, y, x = super().halo_px
        return (z, y - self.missing, x - self.missing)


def clumps(shape: Triple) -> np.ndarray:
    """Clumps of about 8 um (z, y, x), uint16, no two alike."""
    random = np.random.default_rng(7)
    sigma = tuple(0.0 if n == 1 else 3 / size for n, size in zip(shape, SPACING_UM, strict=True))
    field = gaussian_filter(random.normal(size=shape), sigma)
    field += 0.3 * field.std() * random.normal(size=shape)
    return np.clip(300 + 9000 * field / field.max(), 0, 65_535).astype(np.uint16)


def method_of(pixels: np.ndarray, missing: int = 0) -> Nearsighted:
    survey = ChannelSurvey(np.bincount(pixels.reshape(-1), minlength=65_536))
    made = make_method(BasinsOptions(), channel=0, survey=survey, spacing_um=SPACING_UM)
    return Nearsighted(made.channel, made.parameters, missing)


def differing(done: Finished, windows: Sequence[Region]) -> int:
    results, skipped = compare_windows(UncutJob(done.segment, done.quantify, 1), windows)
    assert skipped == []
    return sum(result.differing_pixels for result in results)


def everywhere(window: Region) -> bool:
    return True


def test_a_volume_larger_than_what_is_read_of_it_passes(tmp_path: Path) -> None:
    pixels = clumps((64, 180, 190))
    method = method_of(pixels)
    done = run_blocks(
        tmp_path, pixels[None], (32, 128, 128), method=method, expand_um=2.0, spacing_um=SPACING_UM
    )
    assert done.lookup.n_instances > 200
    windows = choose_windows(done.segment.grid, n=3, seed=2, blocks=(), holds=everywhere)
    for window in windows:
        core = window.grown(first_reach_px(method.halo_px, is_volume=True), pixels.shape)
        assert core.grown(method.halo_px, pixels.shape).size < pixels.size / 2
    assert differing(done, windows) == 0
    shifted = replace(done.quantify, expand_um=4.0)
    assert differing(replace(done, quantify=shifted), windows) > 0
