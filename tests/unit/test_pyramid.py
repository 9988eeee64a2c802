"""Coarser levels: nothing lost at odd edges, and the same whichever shards they are made in."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.blocks.grid import Grid, Region
from isthmus.image.ome_zarr import Level, create_level
from isthmus.image.pyramid import COARSEST_PX, HalvingJob, halve, halve_shard, level_factors, level_shape


@pytest.mark.parametrize(
    ("shape", "levels"),
    [((1, 1, 1), 1), ((1, 512, 512), 1), ((1, 513, 1), 2), ((9, 1025, 700), 3), ((1, 100_000, 60_000), 9)],
)
def test_levels_end_when_they_are_small(shape, levels):
    factors = level_factors(shape)
    assert len(factors) == levels
    assert factors[0] == (1, 1, 1)
    assert all(factor == (1, 2**n, 2**n) for n, factor in enumerate(factors))
    assert max(level_shape(shape, factors[-1])[1:]) <= COARSEST_PX
    assert level_shape(shape, factors[-1])[0] == shape[0]


def _by_hand(pixels):
    """The mean of the pixels under each coarse pixel, those at an odd edge counted twice; halves are rounded up."""
    nz, ny, nx = pixels.shape
    made = np.zeros((nz, -(-ny // 2), -(-nx // 2)), dtype=pixels.dtype)
    for z, y, x in np.ndindex(*made.shape):
        total = sum(
            int(pixels[z, min(2 * y + dy, ny - 1), min(2 * x + dx, nx - 1)]) for dy in (0, 1) for dx in (0, 1)
        )
        made[z, y, x] = (total + 2) // 4
    return made


@pytest.mark.parametrize("shape", [(1, 4, 6), (1, 5, 6), (2, 5, 7), (1, 1, 1), (1, 1, 9), (1, 3, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_mean_is_rounded(shape, dtype):
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(top - 9, top + 1, shape).astype(dtype)
    made = halve(pixels, "mean")
    assert made.dtype == dtype
    assert np.array_equal(made, _by_hand(pixels))


def test_labels_are_picked_not_mixed():
    labels = np.random.default_rng(0).integers(0, 2**40, (2, 5, 7)).astype(np.uint64)
    made = halve(labels, "nearest")
    assert made.shape == (2, 3, 4)
    assert made.dtype == labels.dtype
    assert np.array_equal(made, labels[:, ::2, ::2])


@pytest.mark.parametrize("shape", [(1, 37, 70), (3, 16, 33), (1, 64, 64)])
@pytest.mark.parametrize(("how", "n_channels"), [("mean", 2), ("nearest", None)])
def test_shards_are_made_one_by_one(tmp_path, shape, how, n_channels):
    shard = (2, 16, 16)
    pixels = np.random.default_rng(1).integers(0, 60_000, (n_channels or 1, *shape)).astype(np.uint16)
    whole = Region((0, 0, 0), shape)
    fine = create_level(
        tmp_path / "0", shape=shape, dtype=pixels.dtype, chunk=shape, shard=shape, n_channels=n_channels
    )
    grid = Grid(level_shape(shape, (1, 2, 2)), shard)
    create_level(
        tmp_path / "1",
        shape=grid.shape,
        dtype=pixels.dtype,
        chunk=(1, 8, 8),
        shard=shard,
        n_channels=n_channels,
    )
    job = HalvingJob(tmp_path / "0", tmp_path / "1", shape, grid, n_channels, how)
    for channel in range(n_channels or 1):
        fine.write(whole, pixels[channel], channel)
        for index in reversed(range(grid.n_blocks)):
            halve_shard(job, (channel, index))
    coarse = Level.open(tmp_path / "1", is_volume=shape[0] > 1, has_channels=n_channels is not None)
    for channel in range(n_channels or 1):
        made = coarse.read(Region((0, 0, 0), grid.shape), channel)
        assert np.array_equal(made, halve(pixels[channel], how))
