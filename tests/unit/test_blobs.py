"""The method `blobs`: exact in blocks, the same for voxels of any shape, and its F1 on volumes with truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from block_store import run_blocks
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import oracle_labels
from quality import counts, nuclei
from whole import segment_whole

from isthmus.config.segmentation import SegmentationOptions
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.blobs import CONTRAST, BlobsMethod, level_table, make_method

SHARED = Path(__file__).parents[2].resolve().parent / "shared/data"
PLANTSEG = SHARED / "plantseg_nuclei3d/1136_mini.h5"
STARDIST = SHARED / "stardist_nuclei"
Image = npt.NDArray[Any]


def options(**given: object) -> SegmentationOptions:
    return SegmentationOptions.model_validate({"method": "blobs", "blobs": given})


def balls(
    shape: Sequence[int], spacing_um: Sequence[float], centres_um: Image, radius_um: float, noise: float = 0.0
) -> npt.NDArray[np.uint16]:
    """Bright balls with soft edges in a volume (z, y, x)."""
    where = np.stack(
        np.meshgrid(
            *((np.arange(n) + 0.5) * s for n, s in zip(shape, spacing_um, strict=True)), indexing="ij"
        )
    )
    light = np.zeros(tuple(shape))
    for centre in centres_um:
        distance = np.sqrt(((where - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(axis=0))
        light = np.maximum(light, np.clip(radius_um + 0.5 - distance, 0, 1))
    rng = np.random.default_rng(0)
    return (200 + 1000 * light + noise * rng.random(tuple(shape))).astype(np.uint16)


def method_for(pixels: Image, spacing_um: tuple[float, float, float], **given: object) -> BlobsMethod:
    survey = ChannelSurvey(np.bincount(pixels.reshape(-1), minlength=65_536).astype(np.int64))
    return make_method(options(**given).blobs, channel=0, survey=survey, spacing_um=spacing_um)


def test_levels_are_a_straight_line_that_ends() -> None:
    table = level_table(100, 50)
    assert table[[0, 100, 150, 125]].tolist() == [0, 0, CONTRAST, CONTRAST // 2]
    assert table[100 + 8 * 50 :].min() == 65535


@pytest.mark.parametrize(
    "spacing_um", [(1.0, 0.5, 0.5), (0.5, 0.5, 0.5), (2.0, 0.25, 0.25), (1.0, 0.7, 0.35)]
)
def test_the_same_balls_in_voxels_of_any_shape(spacing_um: tuple[float, float, float]) -> None:
    centres = np.array([[8, 8, 8], [8, 8, 16.5], [8, 20, 12], [17, 13, 12]], float)
    shape = [round(24 / spacing_um[0]), *(round(28 / s) for s in spacing_um[1:])]
    pixels = balls(shape, spacing_um, centres, radius_um=3.8)
    labels = segment_whole(method_for(pixels, spacing_um), pixels)
    volumes = np.bincount(labels.reshape(-1))[1:] * np.prod(spacing_um)
    assert volumes.size == 4
    np.testing.assert_allclose(volumes, 4 / 3 * np.pi * 3.8**3, rtol=0.35)
    found = [labels[tuple(int(c / s) for c, s in zip(centre, spacing_um, strict=True))] for centre in centres]
    assert sorted(found) == [1, 2, 3, 4]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    spacing_um=st.sampled_from([(1.0, 0.5, 0.5), (0.6, 0.3, 0.2), (1.0, 1.0, 1.0)]),
    cut=st.tuples(st.integers(1, 8), st.integers(1, 23), st.integers(1, 26)),
)
def test_a_part_with_its_border_is_the_crop_of_the_whole(
    seed: int, spacing_um: tuple[float, float, float], cut: tuple[int, int, int]
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 3000, (9, 24, 27)).astype(np.uint16)
    method = method_for(pixels, spacing_um, nucleus_diameter_um=2.0)
    whole = method.landscape(pixels)
    start = [max(0, (c - h) // n * n) for c, h, n in zip(cut, method.halo_px, method.lattice_px, strict=True)]
    part = np.ascontiguousarray(pixels[tuple(slice(a, None) for a in start)])
    made = method.landscape(part)[tuple(slice(c - a, None) for c, a in zip(cut, start, strict=True))]
    assert np.array_equal(made, whole[tuple(slice(c, None) for c in cut)])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_border_without_the_wider_blurs_last_pixel_is_too_small(axis: int) -> None:
    pixels = np.full((60, 60, 60), 100, np.uint16)
    pixels[20:26, 20:26, 20:26] = 60_000
    method = method_for(pixels, (1.0, 1.0, 1.0))
    assert method.lattice_px == (1, 1, 1)
    reach = len(method.wide[axis]) - 1
    line = [22, 22, 22]
    line[axis] = 25 + reach
    whole = method.landscape(pixels)

    def from_(start: int) -> Image:
        part = np.ascontiguousarray(np.take(pixels, range(start, 60), axis=axis))
        return np.take(method.landscape(part), range(line[axis] - start, 60 - start), axis=axis)

    wanted = np.take(whole, range(line[axis], 60), axis=axis)
    assert np.array_equal(from_(line[axis] - reach), wanted)


@pytest.mark.parametrize("block_px", [(4, 16, 16), (7, 13, 40), (20, 9, 31)])
def test_blocks_do_not_show(block_px: tuple[int, int, int], tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pixels = balls((20, 40, 40), (1.0, 0.5, 0.5), rng.uniform(0, 20, (14, 3)), radius_um=2.5, noise=600)
    method = method_for(pixels, (1.0, 0.5, 0.5), nucleus_diameter_um=5.0)
    wanted = oracle_labels(method.landscape(pixels), radius_px=method.merge_radius_px)
    assert wanted.max() > 5
    assert np.array_equal(run_blocks(tmp_path / "b", pixels[None], block_px, method=method).nuclei, wanted)


def test_an_image_of_one_value_has_no_blobs() -> None:
    pixels = np.full((4, 20, 20), 700, np.uint16)
    assert not method_for(pixels, (1.0, 1.0, 1.0)).landscape(pixels).any()


def test_the_smallest_area_follows_the_diameter() -> None:
    assert options(nucleus_diameter_um=10.0).blobs.min_area_um2 == pytest.approx(10.66, abs=0.01)
    assert options(nucleus_diameter_um=10.0, min_area_um2=1.0).blobs.min_area_um2 == 1.0


def f1(found: Image, truth: Image) -> tuple[float, int]:
    hits, true, all_found = counts(truth, found)
    return 2 * hits / (true + all_found), int(hits)


@pytest.mark.skipif(not STARDIST.is_dir(), reason="the shared real data are not there")
def test_f1_on_the_synthetic_volume_that_the_defaults_were_chosen_on() -> None:
    pixels, truth = (tifffile.imread(STARDIST / name) for name in ("img3d.tif", "mask3d.tif"))
    score, hits = f1(nuclei(pixels, options(nucleus_diameter_um=8.0), (1.0, 0.5, 0.5)), truth)
    assert (round(score, 3), hits) == (0.792, 42)


@pytest.mark.skipif(not PLANTSEG.is_file(), reason="the shared real data are not there")
def test_f1_on_a_real_volume() -> None:
    with h5py.File(PLANTSEG) as file:
        pixels, truth = file["raw"][:].astype(np.uint16), file["label"][:].astype(np.int64)
        z, y, x = (float(size) for size in file["raw"].attrs["element_size_um"])
    score, hits = f1(nuclei(pixels, options(nucleus_diameter_um=5.0), (z, y, x)), truth)
    assert (round(score, 3), hits) == (0.594, 19)
