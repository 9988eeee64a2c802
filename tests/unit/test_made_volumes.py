"""The generated organoids: the truth fits the pixels, the files say their sizes, the same bytes come out again."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from isthmus.fetch import fetch
from isthmus.image.open import open_image


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch("volumes_made", into=tmp_path_factory.mktemp("made"))


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_both_forms_say_the_same_of_their_voxels(made: Path) -> None:
    for name in ("control.h5", "treated.ome.tif"):
        image = open_image(made / name)
        assert image.shape == (4, 40, 240, 240)
        assert (image.z_step_um, image.pixel_size_um) == (1.0, (0.4, 0.4))
        assert image.channels == ("DNA", "SOX2", "KRT", "KI67")


def test_the_truth_fits_the_pixels(made: Path) -> None:
    pixels = tifffile.imread(made / "treated.ome.tif")
    labels = tifffile.imread(made / "truth/treated.ome.tif")
    table = rows(made / "truth/treated.csv")
    sizes = np.bincount(labels.reshape(-1))[1:]
    assert sizes.tolist() == [int(row["voxels"]) for row in table]
    for channel, has in (("SOX2", "outer"), ("KRT", "core")):
        number = ("DNA", "SOX2", "KRT", "KI67").index(channel)
        means = np.bincount(labels.reshape(-1), weights=pixels[number].reshape(-1))[1:] / sizes
        is_of = np.array([row["cell_type"] == has for row in table])
        assert means[is_of].mean() > 1.8 * means[~is_of].mean()
    row = table[100]
    z, y, x = (int(float(row[name]) / size) for name, size in (("z_um", 1.0), ("y_um", 0.4), ("x_um", 0.4)))
    assert labels[z, y, x] == 101


def test_treated_divides_more(made: Path) -> None:
    shares = [
        np.mean([int(row["dividing"]) for row in rows(made / f"truth/{name}.csv")])
        for name in ("control", "treated")
    ]
    assert shares[0] < 0.15
    assert shares[1] > 0.25


def test_hdf5_holds_one_image(made: Path) -> None:
    with h5py.File(made / "control.h5") as file:
        assert list(file) == ["raw"]
        assert file["raw"].chunks == (1, 20, 80, 80)
