"""Growth guided by a channel: least cost, ties, halo, and what the guide means."""

from __future__ import annotations

import heapq
from itertools import product
from math import ceil, sqrt

import numpy as np
import pytest
from block_store import PixelsAreLandscape, run_blocks
from synthetic import Tissue

from isthmus.blocks.grid import Grid
from isthmus.quantify.guide import Guide, grow_guided

MEMBRANE = Guide(channel=0, kind="membrane", weight_milli=3000, dark=10, bright=200)
SPACINGS = [(1.0, 1.0, 1.0), (2.0, 0.5, 0.8)]


def _scene(shape, seed, *, density=0.03):
    random = np.random.default_rng(seed)
    nuclei = np.where(random.random(shape) < density, random.integers(1, 7, shape), 0).astype(np.int32)
    return nuclei, random.integers(0, 256, shape).astype(np.uint8)


def _by_search(nuclei, pixels, guide, expand_um, spacing_um):
    """Dijkstra's algorithm with Python's own numbers, from the definition."""
    levels = guide.levels(pixels).astype(int)
    limit = round(expand_um * 1000)
    deep = (-1, 0, 1) if nuclei.shape[0] > 1 else (0,)
    found = {}
    heap = [(0, int(nuclei[p]), p) for p in np.ndindex(nuclei.shape) if nuclei[p] > 0]
    heapq.heapify(heap)
    while heap:
        cost, instance, at = heapq.heappop(heap)
        if at in found:
            continue
        found[at] = instance
        for step in product(deep, (-1, 0, 1), (-1, 0, 1)):
            there = tuple(np.add(at, step).tolist())
            if not any(step) or not all(0 <= p < n for p, n in zip(there, nuclei.shape, strict=True)):
                continue
            length = ceil(
                sqrt(sum((p * round(s * 1000)) ** 2 for p, s in zip(step, spacing_um, strict=True)))
            )
            total = cost + length * (256_000 + guide.weight_milli * levels[there]) // 256_000
            if total <= limit and there not in found:
                heapq.heappush(heap, (total, instance, there))
    cells = np.zeros_like(nuclei)
    for at, instance in found.items():
        cells[at] = instance
    return cells


@pytest.mark.parametrize("spacing_um", SPACINGS)
@pytest.mark.parametrize("shape", [(1, 24, 30), (4, 9, 11)])
@pytest.mark.parametrize("kind", ["membrane", "cytoplasm"])
def test_growth_follows_the_cheapest_paths(shape, spacing_um, kind):
    guide = Guide(0, kind, 3000, 10, 200)
    for seed in range(3):
        nuclei, pixels = _scene(shape, seed)
        cells = grow_guided(nuclei, pixels, guide, expand_um=5.0, spacing_um=spacing_um)
        assert np.array_equal(cells, _by_search(nuclei, pixels, guide, 5.0, spacing_um))


def test_one_pixel_less_of_halo_would_not_do():
    growth = {"expand_um": 4.0, "spacing_um": (1.0, 1.0, 1.0)}
    differences = 0
    for seed in range(6):
        nuclei, pixels = _scene((1, 40, 40), seed)
        whole = grow_guided(nuclei, pixels * 0, MEMBRANE, **growth)
        grid = Grid((1, 40, 40), (1, 9, 9))
        for index in range(grid.n_blocks):
            write = grid.block(index).write
            read = write.grown((0, 3, 3), (1, 40, 40))
            part = grow_guided(nuclei[read.slices], pixels[read.slices] * 0, MEMBRANE, **growth)
            differences += np.count_nonzero(part[write.within(read)] != whole[write.slices])
    assert differences


def test_a_membrane_moves_the_border_between_two_cells():
    nuclei = np.zeros((1, 1, 21), dtype=np.int32)
    nuclei[0, 0, 0], nuclei[0, 0, 20] = 1, 2
    pixels = np.zeros(nuclei.shape, dtype=np.uint8)
    growth = {"expand_um": 50.0, "spacing_um": (1.0, 1.0, 1.0)}
    even = grow_guided(nuclei, pixels, MEMBRANE, **growth)
    assert np.count_nonzero(even == 1) == 11  # the pixel in the middle is the smaller id's
    pixels[0, 0, 5:7] = 255
    held = grow_guided(nuclei, pixels, MEMBRANE, **growth)
    assert np.count_nonzero(held == 1) < 9
    pixels[...] = 0
    pixels[0, 0, :14] = 255
    cytoplasm = Guide(0, "cytoplasm", 3000, 10, 200)
    assert np.count_nonzero(grow_guided(nuclei, pixels, cytoplasm, **growth) == 1) >= 14


def test_a_guide_without_weight_is_even_growth():
    nuclei, pixels = _scene((1, 30, 30), 3)
    flat = grow_guided(
        nuclei, pixels, Guide(0, "membrane", 0, 10, 200), expand_um=6.0, spacing_um=SPACINGS[0]
    )
    same = grow_guided(nuclei, pixels * 0, MEMBRANE, expand_um=6.0, spacing_um=SPACINGS[0])
    assert np.array_equal(flat, same)


@pytest.mark.parametrize(("dark", "bright"), [(0, 0), (300, 20), (65_535, 65_535)])
def test_a_channel_without_contrast_is_no_guide_but_no_fault(dark, bright):
    levels = Guide(0, "membrane", 1000, dark, bright).levels(np.array([0, 20, 65_535], dtype=np.uint16))
    assert levels.tolist() == [0, 0, 0]


def test_nothing_grows_from_nothing():
    nothing = np.zeros((1, 5, 5), dtype=np.int32)
    pixels = nothing.astype(np.uint16)
    assert not grow_guided(nothing, pixels, MEMBRANE, expand_um=9.0, spacing_um=SPACINGS[0]).any()


def test_blocks_of_an_image_agree_and_every_cell_knows_its_nucleus(tmp_path):
    pixels = Tissue(seed=3).image((60, 70), n_channels=2)
    options = {"method": PixelsAreLandscape(above=260), "min_area_px": 9, "expand_um": 5.0}
    options["guide"] = Guide(1, "membrane", 4000, 150, 500)
    whole = run_blocks(tmp_path / "whole", pixels, (1, 60, 70), **options)
    even = run_blocks(tmp_path / "even", pixels, (1, 60, 70), **options | {"guide": None})
    assert np.count_nonzero(whole.cells != even.cells) > 100
    inside = whole.nuclei > 0
    assert np.array_equal(whole.cells[inside], whole.nuclei[inside])
    assert np.array_equal(np.unique(whole.cells), np.unique(whole.nuclei))
    for block_px in [(1, 16, 16), (1, 11, 70)]:
        cut = run_blocks(tmp_path / f"{block_px}", pixels, block_px, **options)
        assert np.array_equal(cut.cells, whole.cells)
        assert np.array_equal(cut.completed.ranks, whole.completed.ranks)
