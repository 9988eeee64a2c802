"""What is measured in cells against scikit-image and numpy, on the whole image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops
from skimage.measure import regionprops, shannon_entropy

from isthmus.blocks.grid import Region
from isthmus.image.affine import Affine
from isthmus.image.survey import ChannelSurvey
from isthmus.quantify.measure import Instances, Measures, measure
from isthmus.tables.complete import complete_cells
from isthmus.tables.intensity import intensity_columns
from isthmus.tables.merge import merge_sums
from isthmus.tables.shape import shape_columns
from isthmus.tables.texture import texture_columns

ALL = Measures((50.0, 0.0, 2.5, 99.9, 100.0), texture=True)


def _blobs(shape, n, seed, *, nucleus=0.5):
    """Touching instances of any form; a part of each is its nucleus; some have holes and pieces."""
    random = np.random.default_rng(seed)
    seeds = np.stack([random.integers(0, size, n) for size in shape], axis=1)
    places = np.stack(np.indices(shape), axis=-1)[..., np.newaxis, :]
    distance = ((places - seeds) ** 2).sum(axis=-1) + random.random((*shape, n))
    cells = np.where(distance.min(axis=-1) < 60, distance.argmin(axis=-1) + 1, 0)
    cells[random.random(shape) < 0.03] = 0
    _, cells = np.unique(cells, return_inverse=True)
    cells = cells.reshape(shape).astype(np.int32)
    return cells, np.where(distance.min(axis=-1) < 60 * nucleus, cells, 0).astype(np.int32)


def _measured(cells, nuclei, channels, measures=ALL):
    whole = Region((0, 0, 0), cells.shape)
    n = int(cells.max())
    ids = np.arange(1, n + 1)
    instances = Instances(nuclei, cells, ids, np.ones(n, dtype=bool), whole, whole, cells.shape)
    record = measure(instances, channels, len(channels), measures)
    assert record["complete"].all()
    sums = merge_sums([record])
    return sums, complete_cells([record], sums.ids, measures)


def _parts(cells, nuclei):
    return {"cell": cells, "nucleus": nuclei, "cytoplasm": np.where(nuclei > 0, 0, cells)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shape_is_that_of_regionprops(seed):
    cells, nuclei = _blobs((1, 90, 100), 40, seed)
    sums, completed = _measured(cells, nuclei, [])
    affine = Affine.from_size(0.5, 10.0, 20.0)
    table = shape_columns(sums, completed, None, affine=affine, z_step_um=1.0, is_volume=False)
    for part in ("cell", "nucleus"):
        found = regionprops(_parts(cells, nuclei)[part][0])
        assert len(found) > 20
        for region in found:
            row = table.iloc[region.label - 1]
            wanted = {
                "area_um2": region.area * 0.25,
                "centroid_x_um": 10 + (region.centroid[1] + 0.5) * 0.5,
                "centroid_y_um": 20 + (region.centroid[0] + 0.5) * 0.5,
                "major_axis_um": region.axis_major_length * 0.5,
                "minor_axis_um": region.axis_minor_length * 0.5,
                "eccentricity": region.eccentricity,
                "perimeter_um": region.perimeter * 0.5,
                "solidity": region.solidity,
                "extent": region.extent,
                "equivalent_diameter_um": region.equivalent_diameter_area * 0.5,
                "y_min_px": region.bbox[0],
                "x_min_px": region.bbox[1],
                "y_max_px": region.bbox[2],
                "x_max_px": region.bbox[3],
            }
            made = [row[f"{name}_{part}"] for name in wanted]
            np.testing.assert_allclose(made, list(wanted.values()), rtol=1e-9, atol=1e-6)
            turn = abs(row[f"orientation_rad_{part}"] - region.orientation)
            assert min(turn, np.pi - turn) < 1e-6 or region.eccentricity < 1e-3


@pytest.mark.parametrize("density", [0.02, 0.2, 0.5, 0.95])
def test_any_handful_of_pixels_has_the_perimeter_and_hull_of_scikit_image(density):
    random = np.random.default_rng(7)
    for _ in range(40):
        shape = (1, *random.integers(1, 13, 2))
        cells = (random.random(shape) < density).astype(np.int32)
        if not cells.any():
            continue
        sums, completed = _measured(cells, cells, [])
        table = shape_columns(
            sums, completed, None, affine=Affine.from_size(1.0), z_step_um=1.0, is_volume=False
        )
        region = regionprops(cells[0])[0]
        assert completed.convex[0].tolist() == [region.area_convex] * 2
        np.testing.assert_allclose(table["perimeter_um_cell"][0], region.perimeter, rtol=1e-12)


def test_axes_in_a_volume_are_those_of_regionprops():
    cells, nuclei = _blobs((9, 22, 24), 10, 5)
    sums, completed = _measured(cells, nuclei, [], Measures(()))
    assert completed.convex is None
    table = shape_columns(sums, completed, None, affine=Affine.from_size(1.0), z_step_um=1.0, is_volume=True)
    for region in regionprops(cells):
        row = table.iloc[region.label - 1]
        np.testing.assert_allclose(row["major_axis_um_cell"], region.axis_major_length, rtol=1e-9)
        np.testing.assert_allclose(row["minor_axis_um_cell"], region.axis_minor_length, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(
            row["equivalent_diameter_um_cell"], region.equivalent_diameter_area, rtol=1e-12
        )
        assert [row[f"{a}_{e}_px_cell"] for e in ("min", "max") for a in "zyx"] == list(region.bbox)
    assert not [name for name in table if name.startswith(("perimeter", "solidity", "eccentricity"))]


@pytest.mark.parametrize("top", [1, 3, 256, 4000, 65_536])
@pytest.mark.parametrize("shape", [(1, 60, 70), (5, 20, 20)])
def test_percentiles_are_those_of_numpy(top, shape):
    cells, nuclei = _blobs(shape, 20, 6)
    pixels = np.random.default_rng(top).integers(0, top, shape)
    pixels = pixels.astype(np.uint8 if top <= 256 else np.uint16)
    sums, completed = _measured(cells, nuclei, [pixels])
    table = intensity_columns(sums, ["a"], None, completed=completed, measures=ALL)
    for part, labels in _parts(cells, nuclei).items():
        for k in range(1, int(cells.max()) + 1):
            values = pixels[labels == k]
            for q, name in ((50.0, "median"), (0.0, "p0"), (2.5, "p2.5"), (99.9, "p99.9"), (100.0, "p100")):
                made = table[f"a_{name}_{part}"][k - 1]
                if values.size:
                    np.testing.assert_allclose(made, np.percentile(values, q), rtol=1e-12, atol=1e-9)
                else:
                    assert np.isnan(made)


def _grey_levels(pixels, inside, top):
    """Co-occurrences of neighbours inside: what is outside has a level of its own, whose pairs are dropped."""
    marked = np.where(inside, pixels, top).astype(np.uint16)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    matrix = graycomatrix(marked, [1], angles, levels=top + 1, symmetric=True)[:top, :top]
    return matrix.sum(axis=3, keepdims=True)


def test_texture_is_that_of_scikit_image():
    cells, nuclei = _blobs((1, 50, 60), 14, 8)
    top = 40
    pixels = np.random.default_rng(3).integers(0, top, cells.shape).astype(np.uint16)
    pixels[cells == 1] = 5
    sums, completed = _measured(cells, nuclei, [pixels])
    table = texture_columns(sums, completed, ["a"], None)
    for part, labels in _parts(cells, nuclei).items():
        for k in range(1, int(cells.max()) + 1):
            inside = labels[0] == k
            row = table.iloc[k - 1]
            if inside.any():
                wanted = shannon_entropy(pixels[0][inside])
                np.testing.assert_allclose(row[f"a_entropy_{part}"], wanted, atol=1e-12)
            matrix = _grey_levels(pixels[0], inside, top)
            for name in ("contrast", "dissimilarity", "correlation"):
                if matrix.any():
                    wanted = graycoprops(matrix.astype(np.uint32), name)[0, 0]
                    np.testing.assert_allclose(row[f"a_{name}_{part}"], wanted, rtol=1e-9, atol=1e-9)
                else:
                    assert np.isnan(row[f"a_{name}_{part}"])
    assert table["a_correlation_cell"][0] == 1


def test_pairs_in_a_volume_are_all_pairs_of_neighbours():
    cells, nuclei = _blobs((4, 9, 10), 4, 2)
    pixels = np.random.default_rng(0).integers(0, 65_536, cells.shape).astype(np.uint16)
    sums, _ = _measured(cells, nuclei, [pixels])
    wanted = np.zeros((int(cells.max()), 3, 5), dtype=np.int64)
    places = [tuple(p) for p in np.argwhere(cells > 0)]
    for a in places:
        for b in places:
            if a < b and cells[a] == cells[b] and max(abs(np.subtract(a, b))) == 1:
                kind = 2 if (nuclei[a] > 0) != (nuclei[b] > 0) else int(nuclei[a] == 0)
                i, j = int(pixels[a]), int(pixels[b])
                wanted[cells[a] - 1, kind] += [2, i + j, i * i + j * j, abs(i - j), (i - j) ** 2]
    assert np.array_equal(sums.pairs[:, 0], wanted)


def test_integrated_intensity_leaves_out_the_background():
    cells = np.array([[[0, 1, 1, 2]]], dtype=np.int32)
    nuclei = np.array([[[0, 1, 0, 0]]], dtype=np.int32)
    pixels = np.array([[[9, 15, 20, 7]]], dtype=np.uint16)
    sums, _ = _measured(cells, nuclei, [pixels])
    table = intensity_columns(sums, ["a"], None, backgrounds=[10])
    assert table["a_integrated_nucleus"].tolist() == [5, 0]
    assert table["a_integrated_cytoplasm"].tolist() == [10, -3]
    assert table["a_integrated_cell"].tolist() == [15, -3]


def test_the_background_is_the_peak_below_the_median():
    histogram = np.zeros(65_536, dtype=np.int64)
    histogram[[90, 100, 101, 110, 900]] = [5, 40, 40, 5, 80]
    assert ChannelSurvey(histogram).background() == 100
    histogram[0] = 200
    assert ChannelSurvey(histogram).background() == 0


def test_nothing_to_measure():
    nothing = np.zeros((1, 6, 7), dtype=np.int32)
    pixels = np.ones(nothing.shape, dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sums, completed = _measured(nothing, nothing, [pixels])
        table = shape_columns(
            sums, completed, None, affine=Affine.from_size(1.0), z_step_um=1.0, is_volume=False
        )
        texture = texture_columns(sums, completed, ["a"], None)
    assert len(table) == len(texture) == 0
    assert completed.ranks.shape == (0, 1, 3, 5, 2)


def test_a_cell_without_a_nucleus_has_no_shape_of_a_nucleus():
    cells = np.ones((1, 3, 3), dtype=np.int32)
    sums, completed = _measured(cells, np.zeros_like(cells), [])
    table = shape_columns(sums, completed, None, affine=Affine.from_size(1.0), z_step_um=1.0, is_volume=False)
    of_nucleus = [name for name in table if name.endswith("_nucleus")]
    assert table[of_nucleus].isna().all(axis=None)
    assert table[[name for name in table if name.endswith("_cell")]].notna().all(axis=None)


def test_texture_that_was_not_measured_is_not_told():
    cells = np.ones((1, 3, 3), dtype=np.int32)
    sums, completed = _measured(cells, cells, [np.ones(cells.shape, np.uint8)], Measures())
    with pytest.raises(ValueError, match="not measured"):
        texture_columns(sums, completed, ["a"], None)
