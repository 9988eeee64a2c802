"""Imaging mass cytometry: real text exports, raw files after the layout, and everything that can be wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from imc_files import write_mcd, write_text
from shared_data import shared

from isthmus.cli.main import main
from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.readers.registry import read_sample

PIXELS = np.random.default_rng(5).gamma(1.0, 3.0, (2, 7, 5)).round(3)
COLUMNS = ("CD3_1((2))Yb172(Yb172Di)", "191Ir(Ir191Di)")


def sample(path: Path, **columns) -> Sample:
    return Sample(sample="a", where="row 2", image=path, reader="imc", **columns)


def pixels_of(part, window=None):
    c, _, height, width = part.header.shape
    window = window or (slice(0, 1), slice(0, height), slice(0, width))
    return np.stack([part.open().read(channel, window)[0] for channel in range(c)])


@pytest.fixture
def text(tmp_path) -> Path:
    return write_text(tmp_path / "a.txt", dict(zip(COLUMNS, PIXELS, strict=True)))


def test_text_export(text):
    parts = read_sample(sample(text))
    header = parts.image.header
    assert header.channels == ("Yb172", "Ir191")
    assert (header.shape, header.dtype, header.steps_per_unit) == ((2, 1, 7, 5), "uint16", 100.0)
    assert header.affine.pixel_size_um == (1.0, 1.0)
    np.testing.assert_allclose(pixels_of(parts.image) / 100, PIXELS, atol=0.005001)
    part = pixels_of(parts.image, (slice(0, 1), slice(2, 4), slice(1, 5)))
    np.testing.assert_array_equal(part, pixels_of(parts.image)[:, 2:4, 1:5])
    assert any("1/100" in note for note in parts.notes)
    assert any("1 um is taken" in note for note in parts.notes)


def test_steps_of_the_configuration_win(text):
    part = read_sample(sample(text, steps_per_unit=1000.0, pixel_size_um=2.0)).image
    np.testing.assert_allclose(pixels_of(part) / 1000, PIXELS, atol=1e-9)
    assert part.header.affine.pixel_size_um == (2.0, 2.0)


def test_counts_that_do_not_fit_are_told(tmp_path):
    path = write_text(tmp_path / "a.txt", {COLUMNS[0]: PIXELS[0] + 700})
    with pytest.raises(
        UserError, match="too large for 16 bit in steps of 1/100; set image.steps_per_unit to 50"
    ):
        pixels_of(read_sample(sample(path)).image)


def test_an_acquisition_that_was_broken_off(tmp_path):
    path = write_text(tmp_path / "a.txt", dict(zip(COLUMNS, PIXELS, strict=True)), n_rows=17)
    with pytest.raises(UserError) as caught:
        pixels_of(read_sample(sample(path)).image)
    assert "inconsistent acquisition image data size" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.replace("Pushes_duration", "Duration"),
            "no column 'Pushes_duration' among the first six",
        ),
        (lambda t: t.replace("\tY\t", "\tRow\t"), "no column 'Y' among the first six"),
        (
            lambda t: t.replace("191Ir(Ir191Di)", "Iridium"),
            "cannot extract channel information from text 'Iridium",
        ),
        (lambda t: t.splitlines()[0] + "\nx\n", "a row without X and Y ('x')"),
        (lambda t: "", "no column 'Start_push'"),
    ],
)
def test_texts_that_are_none(text, change, said):
    text.write_text(change(text.read_text()))
    with pytest.raises(UserError) as caught:
        read_sample(sample(text))
    assert said in str(caught.value)
    assert str(caught.value).startswith("row 2, image '")
    assert "\n" not in str(caught.value)


def test_other_files(tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(UserError, match=r"this is no \.txt or \.mcd file"):
        read_sample(sample(tmp_path / "a.csv"))


@pytest.fixture
def mcd(tmp_path) -> Path:
    one = PIXELS.astype(np.float32)
    other = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    return write_mcd(
        tmp_path / "a.mcd", {"ROI_1": (("Yb(172)", "Ir(191)"), one), "ROI_2": (("Ir(191)",), other)}
    )


def test_raw_file(mcd):
    parts = read_sample(sample(mcd, acquisition="1"))
    assert parts.tested_on_real_files is False
    assert parts.image.header.channels == ("Yb172", "Ir191")
    np.testing.assert_allclose(pixels_of(parts.image) / 100, PIXELS, atol=0.005001)
    window = (slice(0, 1), slice(1, 3), slice(2, 5))
    np.testing.assert_array_equal(pixels_of(parts.image, window), pixels_of(parts.image)[:, 1:3, 2:5])
    named = read_sample(sample(mcd, acquisition="ROI_2")).image
    np.testing.assert_array_equal(pixels_of(named)[0], 100 * np.arange(12).reshape(3, 4))
    assert named.inside != parts.image.inside, "their digests must differ"


def test_which_acquisition(mcd):
    with pytest.raises(
        UserError, match=r"holds 2 acquisitions: 1 \(ROI_1\), 2 \(ROI_2\); name one of them in column"
    ):
        read_sample(sample(mcd))
    with pytest.raises(UserError, match=r"no acquisition 'ROI_9'; known are 1 \(ROI_1\)"):
        read_sample(sample(mcd, acquisition="ROI_9"))


def test_raw_files_that_are_damaged(mcd, tmp_path):
    content = mcd.read_bytes()
    mcd.write_bytes(content[:-40])
    with pytest.raises(UserError, match="end of XML document"):
        read_sample(sample(mcd, acquisition="1"))
    mcd.write_bytes(
        content.replace("<MaxY>7</MaxY>".encode("utf-16-le"), "<MaxY>9</MaxY>".encode("utf-16-le"))
    )
    with pytest.raises(UserError, match="broken off: 35 of 5 x 9 pixels are there"):
        read_sample(sample(mcd, acquisition="1"))


def test_real_text_exports():
    folder = shared("imc_imcrtools")
    shapes = {}
    for path in sorted((folder / "raw").glob("*.txt")):
        part = read_sample(sample(path)).image
        shapes[path.stem[-1]] = part.header.shape
        assert part.header.channels == ("Ag107", "Pr141", "Sm147", "Eu153", "Yb172")
        raw = np.loadtxt(path, skiprows=1, dtype=np.float64)
        found = pixels_of(part)
        x, y = raw[:, 3].astype(int), raw[:, 4].astype(int)
        assert np.abs(found[:, y, x] / 100 - raw[:, 6:].T).max() <= 0.005 + 1e-4
    assert shapes == {"1": (5, 1, 87, 103), "2": (5, 1, 61, 59), "3": (5, 1, 54, 53)}


def test_rows_and_columns_lie_as_in_the_tiff_of_the_same_acquisition():
    """The filtered TIFF correlates with the raster; with a wrong flip or transposition it does not."""
    folder = shared("imc_imcrtools")
    (path,) = (folder / "raw").glob("*ROI_001_1.txt")
    (tiff,) = (folder / "tiffs").glob("*.tiff")
    found, wanted = pixels_of(read_sample(sample(path)).image), tifffile.imread(tiff)
    for channel, least in enumerate((0.98, 0.98, 0.94, 0.95, 0.99)):
        upright = np.corrcoef(found[channel].ravel(), wanted[channel].ravel())[0, 1]
        upside_down = np.corrcoef(found[channel][::-1].ravel(), wanted[channel].ravel())[0, 1]
        mirrored = np.corrcoef(found[channel][:, ::-1].ravel(), wanted[channel].ravel())[0, 1]
        assert upright > least
        assert max(upside_down, mirrored) < 0.5


def test_the_panel_of_steinbock_names_real_channels():
    folder = shared("imc_imcrtools")
    (path,) = (folder / "raw").glob("*ROI_003_3.txt")
    part = read_sample(sample(path, panel=folder / "steinbock" / "panel.csv")).image
    assert part.header.channels == ("Ag107", "Cytokeratin 5", "Laminin", "YBX1", "H3K27Ac")


def test_a_range_is_no_second_scale(text, tmp_path, capsys):
    (tmp_path / "samples.tsv").write_text(f"sample\timage\treader\na\t{text}\timc\n")
    (tmp_path / "c.yaml").write_text("use_case: spatial_proteomics\nsamples: samples.tsv\n")
    assert main(["check", str(tmp_path / "c.yaml"), "--set", "image.intensity_range=[0,50]"]) == 1
    told = capsys.readouterr().err
    assert "image.intensity_range: sample 'a' is stored in steps of 1/100 already" in told
