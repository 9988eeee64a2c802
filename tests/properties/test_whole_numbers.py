"""Growth, sums and packs: cutting changes nothing, whatever is drawn."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isthmus.blocks.grid import Grid, pack_blocks
from isthmus.image.pyramid import halve
from isthmus.quantify.groups import group_spans
from isthmus.quantify.grow import grow, growth_halo_px
from isthmus.quantify.spans import find_spans
from isthmus.quantify.sums import add_channel, add_geometry, empty_sums
from isthmus.tables.merge import merge_sums

SHAPES = st.tuples(st.sampled_from([1, 1, 4]), st.integers(1, 16), st.integers(1, 16))
BLOCKS = st.tuples(st.integers(1, 4), st.integers(1, 17), st.integers(1, 17))
SPACINGS = st.tuples(*[st.sampled_from([0.5, 0.8, 1.0, 2.0])] * 3)


def _nuclei(shape, seed):
    random = np.random.default_rng(seed)
    return np.where(random.random(shape) < 0.06, random.integers(1, 9, shape), 0).astype(np.int32)


@given(SHAPES, BLOCKS, SPACINGS, st.sampled_from([0.0, 0.5, 1.9, 2.0, 5.0]), st.integers(0, 99))
def test_growth_may_be_cut_anywhere(shape, block_px, spacing_um, expand_um, seed):
    nuclei = _nuclei(shape, seed)
    whole = grow(nuclei, expand_um=expand_um, spacing_um=spacing_um)
    assert np.array_equal(whole[nuclei > 0], nuclei[nuclei > 0])
    halo = growth_halo_px(expand_um, spacing_um, is_volume=shape[0] > 1)
    grid = Grid(shape, block_px)
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        read = write.grown(halo, shape)
        part = grow(np.ascontiguousarray(nuclei[read.slices]), expand_um=expand_um, spacing_um=spacing_um)
        assert np.array_equal(part[write.within(read)], whole[write.slices])


@given(SHAPES, BLOCKS, st.integers(0, 99))
def test_sums_of_parts_are_sums_of_the_whole(shape, block_px, seed):
    random = np.random.default_rng(seed)
    cells = random.integers(0, 6, shape).astype(np.int32)
    nuclei = np.where(random.random(shape) < 0.5, cells, 0).astype(np.int32)
    pixels = random.integers(0, 65_536, shape).astype(np.uint16)

    def merged(size):
        grid, records = Grid(shape, size), []
        for index in random.permutation(grid.n_blocks):
            write = grid.block(int(index)).write
            part = [np.ascontiguousarray(array[write.slices]) for array in (cells, nuclei, pixels)]
            sums = empty_sums(6, 1)
            spans = find_spans(part[0], part[1])
            add_geometry(sums, spans, write=write, image_shape=shape)
            groups = group_spans(spans, 6, part[0].shape[2])
            add_channel(sums, 0, groups.values(part[2]), groups.offsets)
            names = ("shape", "bounds", "flags", "intensity", "extremes")
            records.append({"ids": np.arange(1, 7), **{name: getattr(sums, name) for name in names}})
        return merge_sums(records)

    whole, cut = merged(shape), merged(block_px)
    for name in ("ids", "shape", "bounds", "intensity", "extremes"):
        assert np.array_equal(getattr(whole, name), getattr(cut, name)), name
    assert np.array_equal(whole.flags[:, 1], cut.flags[:, 1])
    assert whole.shape[:, :, 0].sum() == np.count_nonzero(cells)


@given(st.integers(0, 300), st.integers(1, 40))
def test_packs_hold_each_block_once(n_blocks, packs):
    made = pack_blocks(range(n_blocks), packs)
    assert [block for pack in made for block in pack] == list(range(n_blocks))
    assert max(map(len, made)) - min(map(len, made)) <= 1


@given(st.tuples(st.just(1), st.integers(1, 20), st.integers(1, 20)), st.integers(1, 6), st.integers(0, 9))
def test_halving_in_even_parts_is_halving_the_whole(shape, half, seed):
    pixels = np.random.default_rng(seed).integers(0, 65_536, shape).astype(np.uint16)
    whole = halve(pixels, "mean")
    for start in range(0, shape[1], 2 * half):
        part = halve(pixels[:, start : start + 2 * half], "mean")
        assert np.array_equal(part, whole[:, start // 2 : start // 2 + part.shape[1]])
