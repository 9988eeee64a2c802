"""Cells are nuclei grown under the order (distance, instance), by a bounded distance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from isthmus.blocks.grid import Grid
from isthmus.quantify.grow import grow, growth_halo_px

SPACINGS = [(1.0, 1.0, 1.0), (1.0, 0.5, 0.8), (3.0, 1.0, 1.0)]


def _nuclei(shape, share, seed):
    random = np.random.default_rng(seed)
    nuclei = np.zeros(shape, dtype=np.int32)
    seeds = np.flatnonzero(random.random(shape) < share)
    nuclei.reshape(-1)[seeds] = random.integers(1, max(2, seeds.size // 2), seeds.size)
    return nuclei


def _by_force(nuclei, expand_um, spacing_um):
    """Every pixel against every nucleus pixel; squared nanometres as integers."""
    nm = [round(s * 1000) for s in spacing_um]
    limit = round(expand_um * 1000) ** 2
    places, owners = np.argwhere(nuclei), nuclei[nuclei > 0]
    cells = nuclei.copy()
    for pixel in np.argwhere(nuclei == 0):
        if not owners.size:
            break
        squared = (((places - pixel) * nm) ** 2).sum(axis=1)
        best = squared.min()
        if best <= limit:
            cells[tuple(pixel)] = owners[squared == best].min()
    return cells


@pytest.mark.parametrize("spacing_um", SPACINGS)
@pytest.mark.parametrize("expand_um", [0.0, 0.4, 1.0, 2.3, 7.0])
@pytest.mark.parametrize(("shape", "share"), [((1, 17, 19), 0.05), ((5, 8, 9), 0.02), ((1, 1, 30), 0.1)])
def test_the_nearest_nucleus_wins_and_of_two_the_smaller_id(shape, share, expand_um, spacing_um):
    for seed in range(3):
        nuclei = _nuclei(shape, share, seed)
        cells = grow(nuclei, expand_um=expand_um, spacing_um=spacing_um)
        assert np.array_equal(cells, _by_force(nuclei, expand_um, spacing_um))


@pytest.mark.parametrize("spacing_um", SPACINGS)
def test_growth_ends_where_scipy_says(spacing_um):
    nuclei = _nuclei((4, 30, 40), 0.002, 7)
    distance, nearest = distance_transform_edt(nuclei == 0, sampling=spacing_um, return_indices=True)
    cells = grow(nuclei, expand_um=4.0, spacing_um=spacing_um)
    assert np.array_equal(cells > 0, distance <= 4.0 + 1e-9)
    at_nearest = nuclei[tuple(nearest)]
    # Of two at the same distance scipy takes any; ours is never the larger of them.
    assert (cells[cells > 0] <= at_nearest[cells > 0]).all()


def test_the_end_of_growth_is_inside():
    nuclei = np.zeros((1, 1, 9), dtype=np.int32)
    nuclei[0, 0, 4] = 3
    assert np.count_nonzero(grow(nuclei, expand_um=2.0, spacing_um=(1.0, 1.0, 1.0))) == 5
    assert np.count_nonzero(grow(nuclei, expand_um=1.999, spacing_um=(1.0, 1.0, 1.0))) == 3


def test_no_growth_leaves_the_nuclei_alone():
    nuclei = _nuclei((1, 12, 12), 0.1, 1)
    before = nuclei.copy()
    assert np.array_equal(grow(nuclei, expand_um=0.0, spacing_um=(1.0, 1.0, 1.0)), nuclei)
    grow(nuclei, expand_um=5.0, spacing_um=(1.0, 1.0, 1.0))
    assert np.array_equal(nuclei, before)


def test_nothing_grows_from_nothing():
    assert not grow(np.zeros((1, 9, 9), np.int32), expand_um=50.0, spacing_um=(1.0, 0.1, 0.1)).any()


@pytest.mark.parametrize(
    ("expand_um", "spacing_um", "is_volume", "expected"),
    [
        (5.0, (1.0, 0.2125, 0.2125), False, (0, 23, 23)),
        (5.0, (2.0, 0.5, 1.0), True, (2, 10, 5)),
        (0.0, (1.0, 0.5, 0.5), True, (0, 0, 0)),
        (0.4, (1.0, 0.5, 0.5), True, (0, 0, 0)),
    ],
)
def test_the_halo_is_what_growth_can_reach(expand_um, spacing_um, is_volume, expected):
    assert growth_halo_px(expand_um, spacing_um, is_volume=is_volume) == expected


def _in_blocks(nuclei, block_px, halo, **growth):
    grid = Grid(nuclei.shape, block_px)
    cells = np.zeros_like(nuclei)
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        read = write.grown(halo, grid.shape)
        part = grow(np.ascontiguousarray(nuclei[read.slices]), **growth)
        cells[write.slices] = part[write.within(read)]
    return cells


@pytest.mark.parametrize("shape", [(1, 40, 40), (8, 16, 16)])
def test_the_halo_suffices_and_one_pixel_less_does_not(shape):
    growth = {"expand_um": 4.0, "spacing_um": (2.0, 1.0, 0.8)}
    halo = growth_halo_px(4.0, (2.0, 1.0, 0.8), is_volume=shape[0] > 1)
    assert halo == (2 if shape[0] > 1 else 0, 4, 5)
    for axis in range(3):
        worse = list(halo)
        worse[axis] -= 1
        differences = 0
        for seed in range(8):
            nuclei = _nuclei(shape, 0.02, seed)
            whole = grow(nuclei, **growth)
            assert np.array_equal(_in_blocks(nuclei, (3, 7, 6), halo, **growth), whole)
            if worse[axis] >= 0:
                differences += np.count_nonzero(
                    _in_blocks(nuclei, (3, 7, 6), tuple(worse), **growth) != whole
                )
        assert differences or worse[axis] < 0
