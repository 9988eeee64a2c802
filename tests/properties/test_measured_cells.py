"""Guided growth, and all that is measured in cells: cutting changes nothing, whatever is drawn."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.blocks.grid import Grid, Region
from isthmus.quantify.grow import growth_halo_px
from isthmus.quantify.guide import Guide, grow_guided
from isthmus.quantify.measure import Instances, Measures, image_margin_px, margin_px, measure
from isthmus.tables.complete import complete_cells
from isthmus.tables.merge import merge_sums

SPACINGS = [(1.0, 1.0, 1.0), (2.0, 0.5, 0.8)]


def _scene(shape, seed, *, density=0.03):
    random = np.random.default_rng(seed)
    nuclei = np.where(random.random(shape) < density, random.integers(1, 7, shape), 0).astype(np.int32)
    return nuclei, random.integers(0, 256, shape).astype(np.uint8)


@given(
    st.sampled_from([(1, 14, 17), (4, 8, 7)]),
    st.tuples(st.integers(1, 4), st.integers(1, 17), st.integers(1, 17)),
    st.sampled_from(SPACINGS),
    st.sampled_from([0.0, 1.0, 3.5, 6.0]),
    st.sampled_from([0, 500, 20_000]),
    st.integers(0, 99),
)
def test_guided_growth_may_be_cut_anywhere(shape, block_px, spacing_um, expand_um, weight_milli, seed):
    nuclei, pixels = _scene(shape, seed)
    guide = Guide(0, "membrane", weight_milli, 20, 250)
    growth = {"expand_um": expand_um, "spacing_um": spacing_um}
    whole = grow_guided(nuclei, pixels, guide, **growth)
    assert np.array_equal(whole[nuclei > 0], nuclei[nuclei > 0])
    halo = growth_halo_px(expand_um, spacing_um, is_volume=shape[0] > 1)
    grid = Grid(shape, block_px)
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        read = write.grown(halo, shape)
        part = grow_guided(nuclei[read.slices], pixels[read.slices], guide, **growth)
        assert np.array_equal(part[write.within(read)], whole[write.slices])


def _measured(cells, nuclei, pixels, block_px, measures, order):
    """Everything measured in blocks of this size; instances may be in any number of pieces."""
    grid = Grid(cells.shape, block_px)
    is_volume = cells.shape[0] > 1
    ids = np.arange(1, 7)
    blocks = [grid.block(int(index)).write for index in order.permutation(grid.n_blocks)]
    seen = np.array([[np.any(nuclei[write.slices] == k) for k in ids] for write in blocks])
    records = []
    for own, write in zip(seen, blocks, strict=True):
        # What grew out of a block is seen beside it only within the reach of growth, here anywhere.
        alone = own & (seen.sum(axis=0) == 1)
        whole = Region((0, 0, 0), cells.shape)
        instances = Instances(nuclei, cells, ids, alone, whole, write, cells.shape)
        around = write.grown(margin_px(is_volume), cells.shape)
        assert around.size
        part = write.grown(image_margin_px(is_volume, measures), cells.shape).slices
        records.append(measure(instances, [channel[part] for channel in pixels], len(pixels), measures))
    sums = merge_sums(records)
    return sums, complete_cells(records, sums.ids, measures)


@settings(max_examples=40)
@given(
    st.tuples(st.sampled_from([1, 1, 3]), st.integers(1, 13), st.integers(1, 13)),
    st.tuples(st.integers(1, 4), st.integers(1, 14), st.integers(1, 14)),
    st.sampled_from([2, 60, 65_536]),
    st.lists(st.sampled_from([0.0, 12.345, 50.0, 100.0]), unique=True, max_size=3),
    st.booleans(),
    st.integers(0, 99),
)
def test_cells_may_be_cut_anywhere(shape, block_px, top, percentiles, texture, seed):
    random = np.random.default_rng(seed)
    cells = (random.integers(0, 7, shape) * (random.random(shape) < 0.8)).astype(np.int32)
    nuclei = np.where(random.random(shape) < 0.5, cells, 0).astype(np.int32)
    pixels = [
        random.integers(0, top, shape).astype(np.uint16),
        random.integers(0, 256, shape).astype(np.uint8),
    ]
    measures = Measures(tuple(percentiles), texture)
    whole, one = _measured(cells, nuclei, pixels, shape, measures, random)
    cut, other = _measured(cells, nuclei, pixels, block_px, measures, random)
    for name in ("ids", "shape", "bounds", "intensity", "extremes", "border", "pairs"):
        assert np.array_equal(getattr(whole, name), getattr(cut, name)), name
    for name in ("ranks", "entropy", "convex"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
