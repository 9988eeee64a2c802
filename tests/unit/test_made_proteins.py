"""The generated slide of spatial proteomics: the same bytes everywhere, and a truth that fits the pixels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from isthmus.fetch import fetch
from isthmus.fetch.made.drawing import blur, normal, smooth_field, uniform
from isthmus.fetch.made.spatial_proteomics import CROSSTALK, MARKERS, PIXEL_SIZE_UM, TYPES


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    # every member is compared with the checksum in the catalogue
    return fetch("spatial_proteomics_made", into=tmp_path_factory.mktemp("made"))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_truth_fits_the_pixels(slide):
    image = tifffile.imread(slide / "slide.ome.tif")
    cells = tifffile.imread(slide / "truth" / "cells.ome.tif")
    nuclei = tifffile.imread(slide / "truth" / "nuclei.ome.tif")
    rows = rows_of(slide / "truth" / "cells.csv")
    assert image.shape == (len(MARKERS), *cells.shape)
    assert [int(row["cell"]) for row in rows] == list(range(1, cells.max() + 1))
    assert ((nuclei == cells) | (nuclei == 0)).all()
    assert [int(row["pixels"]) for row in rows] == np.bincount(cells.ravel())[1:].tolist()
    y, x = np.nonzero(cells == 700)
    row = rows[699]
    centre = [(axis.mean() + 0.5) * PIXEL_SIZE_UM for axis in (x, y)]
    assert [float(row["x_um"]), float(row["y_um"])] == pytest.approx(centre, abs=1e-3)
    kinds = np.array([TYPES.index(row["cell_type"]) for row in rows])
    assert set(kinds.tolist()) == set(range(len(TYPES)))
    for place, (marker, (_, _, levels, _)) in enumerate(MARKERS.items()):
        of_cells = np.bincount(cells.ravel(), image[place].ravel())[1:] / np.bincount(cells.ravel())[1:]
        have = np.array(levels)[kinds] >= 500
        if marker != "Ki67" and have.any() and not have.all():
            assert of_cells[have].mean() > 2 * of_cells[~have].mean(), marker


def test_tables_beside_the_slide(slide):
    panel = rows_of(slide / "panel.csv")
    assert [row["marker"] for row in panel] == list(MARKERS)
    gates = rows_of(slide / "gates.csv")
    assert {row["cell_type"] for row in gates} == set(TYPES)
    assert all(set(f"{row['positive']} {row['negative']}".split()) <= set(MARKERS) for row in gates)
    shares = {
        (row["from"], row["into"]): float(row["share"]) for row in rows_of(slide / "truth" / "crosstalk.csv")
    }
    assert shares == CROSSTALK


def test_random_numbers_are_even_and_normal():
    even = uniform(3, *np.ogrid[:200, :200])
    assert 0 <= even.min() < even.max() < 1
    assert even.mean() == pytest.approx(0.5, abs=0.01)
    bell = normal(3, *np.ogrid[:200, :200])
    assert (bell.mean(), bell.std()) == pytest.approx((0, 1), abs=0.02)
    # the first numbers of the seed, as any machine must draw them
    assert uniform(1, [0, 1], 2).tolist() == [0.37239342287916577, 0.9435642308648544]


def test_fields_are_smooth_and_blur_keeps_the_sum():
    field = smooth_field(1, (90, 70), 16)
    assert field.shape == (90, 70)
    assert np.abs(np.diff(field, axis=0)).max() < 0.15
    image = np.zeros((20, 20))
    image[10, 10] = 256
    assert blur(image)[8:13, 8:13].sum() == 256
    assert blur(image)[10, 10] == 36
