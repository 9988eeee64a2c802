"""Integer sums of instances against scikit-image, and what the flags say."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops_table

from isthmus.blocks.grid import Grid, Region
from isthmus.image.affine import Affine
from isthmus.quantify.groups import group_spans
from isthmus.quantify.spans import find_spans
from isthmus.quantify.sums import add_channel, add_geometry, empty_sums
from isthmus.tables.intensity import intensity_columns
from isthmus.tables.merge import merge_sums
from isthmus.tables.shape import centroid_um, ellipse


def _labels(shape, n, seed):
    """Grown blobs of any form, touching each other; some pixels of each are nucleus."""
    random = np.random.default_rng(seed)
    seeds = np.stack([random.integers(0, size, n) for size in shape], axis=1)
    places = np.stack(np.indices(shape), axis=-1)[..., np.newaxis, :]
    distance = ((places - seeds) ** 2).sum(axis=-1) + random.random((*shape, n))
    nearest = distance.argmin(axis=-1) + 1
    cells = np.where(distance.min(axis=-1) < 30, nearest, 0).astype(np.int32)
    nuclei = np.where(distance.min(axis=-1) < 9, cells, 0).astype(np.int32)
    return cells, nuclei


def _sums(cells, nuclei, channels=(), block_px=None):
    """Merged sums, as if from blocks of that size."""
    grid = Grid(cells.shape, block_px or cells.shape)
    records = []
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        part, inner = (np.ascontiguousarray(labels[write.slices]) for labels in (cells, nuclei))
        sums, spans = empty_sums(int(cells.max()), len(channels)), find_spans(part, inner)
        add_geometry(sums, spans, write=write, image_shape=grid.shape)
        groups = group_spans(spans, int(cells.max()), part.shape[2])
        for place, pixels in enumerate(channels):
            values = groups.values(np.ascontiguousarray(pixels[write.slices]))
            add_channel(sums, place, values, groups.offsets)
        there = sums.shape[:, :, 0].sum(axis=1) > 0
        names = ("shape", "bounds", "flags", "intensity", "extremes")
        record = {name: getattr(sums, name)[there] for name in names}
        records.append({"ids": np.flatnonzero(there) + 1, **record})
    return merge_sums(records)


def test_shape_in_a_plane_is_that_of_scikit_image():
    cells, nuclei = _labels((1, 80, 90), 25, 1)
    sums = _sums(cells, nuclei)
    properties = (
        "label",
        "area",
        "centroid",
        "bbox",
        "axis_major_length",
        "axis_minor_length",
        "eccentricity",
    )
    found = regionprops_table(cells[0], properties=(*properties, "orientation"))
    whole = sums.shape.sum(axis=1)
    assert np.array_equal(sums.ids, found["label"])
    assert np.array_equal(whole[:, 0], found["area"])
    low, high = sums.bounds.min(axis=1), sums.bounds.max(axis=1)
    assert np.array_equal(low[:, 1], found["bbox-0"])
    assert np.array_equal(low[:, 2], found["bbox-1"])
    assert np.array_equal(high[:, 4] + 1, found["bbox-2"])
    assert np.array_equal(high[:, 5] + 1, found["bbox-3"])
    centre = centroid_um(whole, Affine.from_size(0.5, 10.0, 20.0), 1.0, is_volume=False)
    np.testing.assert_allclose(centre[:, 0], 10 + (found["centroid-1"] + 0.5) * 0.5, rtol=1e-13)
    np.testing.assert_allclose(centre[:, 1], 20 + (found["centroid-0"] + 0.5) * 0.5, rtol=1e-13)
    made = ellipse(whole, (1.0, 1.0))
    np.testing.assert_allclose(made["major_axis_um"], found["axis_major_length"], rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(made["minor_axis_um"], found["axis_minor_length"], rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(made["eccentricity"], found["eccentricity"], rtol=1e-9, atol=1e-7)
    turned = np.abs(made["orientation_rad"] - found["orientation"])
    long = made["eccentricity"] > 1e-3  # a disc points nowhere
    assert long.sum() > 15
    assert (np.minimum(turned, np.pi - turned)[long] < 1e-9).all()


def test_intensity_is_that_of_scikit_image():
    cells, nuclei = _labels((1, 60, 60), 15, 2)
    pixels = np.random.default_rng(0).integers(0, 65_536, cells.shape).astype(np.uint16)
    index = None
    sums = _sums(cells, nuclei, [pixels, (pixels >> 8).astype(np.uint8)])
    table = intensity_columns(sums, ["a", "b"], index)
    for channel, image in (("a", pixels), ("b", pixels >> 8)):
        for part, labels in (
            ("cell", cells),
            ("nucleus", np.where(nuclei == cells, nuclei, 0)),
            ("cytoplasm", np.where(nuclei == 0, cells, 0)),
        ):
            found = regionprops_table(
                labels[0],
                image[0].astype(np.float64),
                properties=("label", "intensity_mean", "intensity_min", "intensity_max", "intensity_std"),
            )
            rows = np.searchsorted(sums.ids, found["label"])
            for measure in ("mean", "min", "max", "std"):
                ours = table[f"{channel}_{measure}_{part}"].to_numpy()
                np.testing.assert_allclose(ours[rows], found[f"intensity_{measure}"], rtol=1e-11, atol=1e-9)
                assert np.isnan(np.delete(ours, rows)).all()
            total = np.bincount(labels.reshape(-1), image.reshape(-1), int(cells.max()) + 1)[sums.ids]
            assert np.array_equal(table[f"{channel}_sum_{part}"], total)


def test_shape_in_a_volume_is_that_of_scikit_image():
    cells, nuclei = _labels((9, 20, 22), 12, 3)
    sums = _sums(cells, nuclei, block_px=(4, 7, 8))
    found = regionprops_table(cells, properties=("label", "area", "centroid", "bbox"))
    whole = sums.shape.sum(axis=1)
    assert np.array_equal(whole[:, 0], found["area"])
    centre = centroid_um(whole, Affine.from_size(0.5), 2.0, is_volume=True)
    for column, axis, size in ((0, 2, 0.5), (1, 1, 0.5), (2, 0, 2.0)):
        np.testing.assert_allclose(centre[:, column], (found[f"centroid-{axis}"] + 0.5) * size, rtol=1e-13)
    for axis in range(3):
        assert np.array_equal(sums.bounds.min(axis=1)[:, axis], found[f"bbox-{axis}"])
        assert np.array_equal(sums.bounds.max(axis=1)[:, axis + 3] + 1, found[f"bbox-{axis + 3}"])
    places = np.argwhere(cells == 4)
    row = whole[np.searchsorted(sums.ids, 4)]
    z, y, x = places.T
    wanted = [z.size, z.sum(), y.sum(), x.sum(), z @ z, y @ y, x @ x, z @ y, z @ x, y @ x]
    assert row.tolist() == wanted


@pytest.mark.parametrize("block_px", [(1, 7, 9), (1, 1, 1), (1, 100, 3)])
def test_sums_do_not_depend_on_blocks(block_px):
    cells, nuclei = _labels((1, 30, 31), 8, 4)
    pixels = np.random.default_rng(1).integers(0, 65_536, cells.shape).astype(np.uint16)
    whole, cut = _sums(cells, nuclei, [pixels]), _sums(cells, nuclei, [pixels], block_px)
    for name in ("ids", "shape", "bounds", "intensity", "extremes"):
        assert np.array_equal(getattr(whole, name), getattr(cut, name)), name
    assert np.array_equal(whole.flags[:, 1], cut.flags[:, 1])
    assert not whole.flags[:, 0].any()


def _flags(pixel, shape, block_px):
    cells = np.zeros(shape, dtype=np.int32)
    cells[pixel] = 1
    return tuple(_sums(cells, cells, block_px=block_px).flags[0].tolist())


@pytest.mark.parametrize(
    ("pixel", "seam", "edge"),
    [
        ((0, 5, 5), False, False),
        ((0, 0, 5), False, True),
        ((0, 11, 6), False, True),
        ((0, 5, 0), False, True),
        ((0, 6, 11), False, True),
        ((0, 3, 1), True, False),
        ((0, 4, 1), True, False),
        ((0, 1, 7), True, False),
        ((0, 1, 8), True, False),
        ((0, 0, 3), True, True),
        ((0, 11, 8), True, True),
    ],
)
def test_a_cell_touches_seams_and_edges_by_its_own_pixels(pixel, seam, edge):
    assert _flags(pixel, (1, 12, 12), (1, 4, 4)) == (
        seam or (pixel in {(0, 5, 11), (0, 11, 5)} and False),
        edge,
    )


@pytest.mark.parametrize(
    ("pixel", "seam", "edge"),
    [((3, 2, 2), False, False), ((0, 2, 2), False, True), ((5, 2, 2), False, True), ((2, 2, 2), True, False)],
)
def test_a_volume_has_seams_and_edges_along_z(pixel, seam, edge):
    blocks = (3, 8, 8) if seam else (6, 8, 8)
    assert _flags(pixel, (6, 5, 5), blocks) == (seam, edge)


def test_large_cells_far_from_the_origin_are_exact():
    # A cell of 2**20 pixels at the far corner of an image of 2**19 pixels a side.
    side, far = 1 << 10, (1 << 19) - (1 << 10)
    cells = np.ones((1, side, side), dtype=np.int32)
    sums = empty_sums(1, 1)
    write = Region((0, far, far), (1, far + side, far + side))
    spans = find_spans(cells, cells)
    add_geometry(sums, spans, write=write, image_shape=(1, 1 << 19, 1 << 19))
    pixels = np.full(cells.shape, 65_535, dtype=np.uint16)
    groups = group_spans(spans, 1, cells.shape[2])
    add_channel(sums, 0, groups.values(pixels), groups.offsets)
    index = range(far, far + side)
    assert int(sums.shape[0, 0, 5]) == side * sum(i * i for i in index)
    assert int(sums.shape[0, 0, 9]) == sum(index) ** 2
    made = ellipse(sums.shape.sum(axis=1), (1.0, 1.0))
    # A square of side n has the variance (n^2 - 1) / 12.
    np.testing.assert_allclose(made["major_axis_um"], 4 * ((side**2 - 1) / 12) ** 0.5, rtol=1e-12)
    assert made["eccentricity"][0] < 1e-5
    merged = merge_sums([{"ids": np.array([1]), **{n: getattr(sums, n) for n in _NAMES}}])
    table = intensity_columns(merged, ["a"], None)
    assert table["a_std_cell"][0] == 0
    assert table["a_mean_cell"][0] == 65_535


_NAMES = ("shape", "bounds", "flags", "intensity", "extremes")
