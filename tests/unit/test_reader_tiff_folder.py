"""A TIFF a channel: a real MIBI field, lists of channel names, and folders that are no image. Names in QPTIFF."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from shared_data import shared

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.readers.registry import read_sample

SIZES = {"pixel_size_um": 0.49}


def sample(path: Path, **columns) -> Sample:
    return Sample(sample="a", where="row 2", image=path, reader="tiff_folder", **SIZES, **columns)


def read(part, channel: int) -> np.ndarray:
    _, _, height, width = part.header.shape
    return part.open().read(channel, (slice(0, 1), slice(0, height), slice(0, width)))[0]


@pytest.fixture
def folder(tmp_path) -> Path:
    for number, name in enumerate(("CD3", "DNA", "CD20")):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.full((4, 6), number, np.uint16))
    return tmp_path


def test_channels_are_called_by_their_files(folder):
    part = read_sample(sample(folder)).image
    assert part.header.channels == ("CD3", "CD20", "DNA")
    assert part.header.shape == (3, 1, 4, 6)
    source = part.open()
    window = (slice(0, 1), slice(1, 2), slice(0, 2))
    assert [int(source.read(channel, window).max()) for channel in (0, 2, 1, 0)] == [0, 1, 2, 0]
    assert len(part.files) == 3


def test_a_list_of_names(folder):
    (folder / "channelNames.txt").write_text("CD3e\nMS4A1\nDAPI\n")
    part = read_sample(sample(folder)).image
    assert part.header.channels == ("CD3e", "MS4A1", "DAPI")
    assert read(part, 1).max() == 2, "CD20.tif is the second in natural order"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("A\nB\n", "channelnames.txt names 2 channels, and there are 3 TIFF files"),
        ("A\nB\nA\n", "channelnames.txt names 'A' twice"),
    ],
)
def test_lists_that_do_not_fit(folder, names, said):
    (folder / "channelnames.txt").write_text(names)
    with pytest.raises(UserError, match=said):
        read_sample(sample(folder))


def test_folders_that_are_no_image(folder, tmp_path):
    tifffile.imwrite(folder / "other.tif", np.zeros((5, 6), np.uint16))
    with pytest.raises(
        UserError, match=r"'other.tif' has 6 x 5 pixels of uint16, 'CD3.tif' 6 x 4 pixels of uint16"
    ):
        read_sample(sample(folder))
    tifffile.imwrite(folder / "other.tif", np.zeros((2, 4, 6), np.uint16))
    with pytest.raises(UserError, match=r"'other.tif' has 2 channels; keep one channel a file"):
        read_sample(sample(folder))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="this is no folder with TIFF files"):
        read_sample(sample(empty))


def test_real_mibi_field():
    real = shared("mibi_simpleseg")
    part = read_sample(sample(real / "Point2203_pt1072_31606")).image
    assert part.header.shape == (41, 1, 1024, 1024)
    assert part.header.dtype == "uint8"
    with (real / "channels.csv").open(newline="") as file:
        listed = {row["channel"]: row for row in csv.DictReader(file)}
    assert set(part.header.channels) == set(listed)
    for name in ("HH3", "Nuc", "CD45"):
        pixels = read(part, part.header.channels.index(name))
        assert pixels.max() == int(listed[name]["max"])
        assert pixels.mean() == pytest.approx(float(listed[name]["mean"]), abs=6e-6)


def test_nuclear_channels_of_the_real_field_are_added_up(tmp_path):
    panel = tmp_path / "panel.csv"
    panel.write_text("channel,marker,role\nHH3,Histone H3,nuclear\nNuc,Nuc,nuclear\nCD45,CD45,lineage\n")
    part = read_sample(sample(shared("mibi_simpleseg") / "Point2203_pt1072_31606", panel=panel)).image
    names = part.header.channels
    total = read(part, names.index("Histone H3 + Nuc"))
    both = [read(part, names.index(name)).astype(int) for name in ("Histone H3", "Nuc")]
    np.testing.assert_array_equal(total, sum(both))
    assert total.max() > 99, "more than either alone, which uint8 would hold too"


def test_real_qptiff():
    path = shared("pathml_vectra") / "small_vectra.qptiff"
    parts = read_sample(Sample(sample="a", where="row 2", image=path))
    header = parts.image.header
    assert parts.reader == "generic (QPTIFF)"
    assert header.channels == ("DAPI", "FITC", "Cy3")
    assert header.shape == (3, 1, 1440, 1920)
    assert header.affine.pixel_size_um == pytest.approx((0.49653, 0.49653), abs=1e-5)
    means = [read(parts.image, channel).mean() for channel in range(3)]
    assert means == pytest.approx([4.51, 8.35, 11.01], abs=0.005)


def qptiff(path: Path, pages: list[str]) -> Path:
    with tifffile.TiffWriter(path) as file:
        for number, words in enumerate(pages):
            text = (
                '<?xml version="1.0" encoding="utf-16"?><PerkinElmer-QPI-ImageDescription>'
                f"<ImageType>FullResolution</ImageType>{words}<ScanProfile><root><Name>deeper</Name></root></ScanProfile>"
                "</PerkinElmer-QPI-ImageDescription>"
            )
            file.write(
                np.full((40, 30), number, np.uint8),
                description=text,
                metadata=None,
                software="PerkinElmer-QPI",
                resolution=(20000, 20000),
                resolutionunit="CENTIMETER",
            )
    return path


def test_biomarkers_win_over_fluors(tmp_path):
    pages = [
        "<Name>DAPI</Name>",
        "<Name>Opal 520</Name><Biomarker>CD8</Biomarker>",
        "<Name>Opal 570</Name><Biomarker />",
    ]
    path = qptiff(tmp_path / "a.qptiff", pages)
    header = read_sample(Sample(sample="a", where="row 2", image=path)).image.header
    assert header.channels == ("DAPI", "CD8", "Opal 570")
    assert header.affine.pixel_size_um == pytest.approx((0.5, 0.5))


def test_pages_whose_description_is_damaged_are_numbered(tmp_path):
    path = qptiff(tmp_path / "a.qptiff", ["<Name>DAPI</Name>", "<Name>FITC"])
    header = read_sample(Sample(sample="a", where="row 2", image=path)).image.header
    assert header.channels == ("DAPI", "channel_1")


def test_a_panel_names_the_channels_of_every_image_of_a_sample(tmp_path):
    folder = tmp_path / "fields"
    folder.mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(folder / f"{name}.tif", np.ones((2, 8, 9), np.uint8))
    panel = tmp_path / "panel.csv"
    panel.write_text("marker,role\nDNA,nuclear\nH3,nuclear\n")
    row = Sample(sample="a", where="row 2", image=folder, reader="images", panel=panel, pixel_size_um=1.0)
    parts = read_sample(row)
    assert len(parts.images) == 2
    for part in (parts.image, *(each.part for each in parts.images)):
        assert part.header.channels == ("DNA", "H3", "DNA + H3")
        assert read(part, 2).max() == 2
