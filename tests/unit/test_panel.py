"""The panel: what it says of channels, what it fills in, and how an image looks through it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isthmus.config.load import load_settings
from isthmus.config.panel import read_panel
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.panel import with_panel
from isthmus.image.source import ImageHeader, ImagePart

PANEL = """channel,marker,role
DAPI,DAPI,nuclear
HH3,Histone H3,nuclear
ATP,NaKATPase,membrane
FITC,CD3,lineage
Cy3,Ki67,state
Blank,Blank,ignore
"""
CHANNELS = ("DAPI", "HH3", "ATP", "FITC", "Cy3", "Blank")
WINDOW = (slice(0, 1), slice(0, 4), slice(0, 5))


@pytest.fixture
def panel(tmp_path):
    def write(text: str = PANEL, name: str = "panel.csv"):
        (tmp_path / name).write_text(text)
        return read_panel(tmp_path / name, where="panel")

    return write


class _Pixels:
    def __init__(self, pixels):
        self.pixels = pixels

    def read(self, channel, window):
        return self.pixels[channel][window]


def image_of(channels=CHANNELS, dtype="uint16", seed=1) -> tuple[ImagePart, np.ndarray]:
    most = np.iinfo(dtype).max
    pixels = (
        np.random.default_rng(seed).integers(0, most, (len(channels), 1, 4, 5), endpoint=True).astype(dtype)
    )
    header = ImageHeader(pixels.shape, dtype, channels, Affine.from_size(0.5))
    return ImagePart(header, lambda: _Pixels(pixels), (Path("x.tif"),)), pixels


def test_roles(panel):
    made = panel()
    assert made.markers("lineage") == ("CD3",)
    assert made.measured == ("DAPI", "Histone H3", "NaKATPase", "CD3", "Ki67")
    assert made.nuclear_channel == "DAPI + Histone H3"
    assert made.guide == ("NaKATPase", "membrane")
    assert made.role_of["Blank"] == "ignore"


def test_tabs_and_a_guide_of_cytoplasm(panel):
    made = panel("channel\tmarker\trole\n1\tDNA\tnuclear\n2\tPanCK\tCytoplasm\n", "panel.tsv")
    assert made.guide == ("PanCK", "cytoplasm")
    assert made.nuclear_channel == "DNA"
    assert made.sums == ()
    assert panel("marker,role\nCD3,lineage\n").guide is None


def test_panels_of_steinbock(panel):
    made = panel(
        "channel,name,keep,ilastik,deepcell\nAg107,Ag,0,1,\nPr141,CK5,1,,2.0\nEu153,YBX1,1,,\nYb172,H3,1,3,1.0\n"
    )
    assert [row.role for row in made.rows] == ["ignore", "membrane", "lineage", "nuclear"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("channel,role\nDAPI,nuclear\n", "panel: no column 'marker', only channel, role; add it"),
        (
            "channel,marker\nDAPI,DAPI\n",
            "panel: no column 'role', only channel, marker; add it: one of nuclear",
        ),
        ("marker,role\nDAPI,nucleus\n", "panel, row 2: role 'nucleus' of DAPI; did you mean 'nuclear'?"),
        ("marker,role\nCD3,lineage\nCD3,lineage\n", "panel: marker 'CD3' stands there twice"),
        ("channel,marker,role\n1,CD3,lineage\n1,CD4,lineage\n", "panel: channel '1' stands there twice"),
        ("channel,marker,role\n,,lineage\n", "panel, row 2: no marker"),
        ("marker,role\n", "panel: no channel"),
    ],
)
def test_faults_of_a_panel(panel, text, said):
    with pytest.raises(UserError) as caught:
        panel(text)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_panel_that_is_no_text(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        read_panel(tmp_path / "p.csv")


def test_channels_are_called_by_marker_and_nuclear_ones_added_up(panel):
    image, pixels = image_of()
    seen = with_panel(image, panel(), where="row 2")
    assert seen.header.channels == (
        "DAPI",
        "Histone H3",
        "NaKATPase",
        "CD3",
        "Ki67",
        "Blank",
        "DAPI + Histone H3",
    )
    assert seen.header.shape == (7, 1, 4, 5)
    source = seen.open()
    for channel in range(6):
        np.testing.assert_array_equal(source.read(channel, WINDOW), pixels[channel])
    whole = np.minimum(pixels[0].astype(int) + pixels[1], 65535)
    assert (whole == 65535).any(), "the sum must be seen to stop"
    assert (whole < 65535).any()
    np.testing.assert_array_equal(source.read(6, WINDOW), whole)


def test_sums_of_8_bit_channels_are_not_cut(panel):
    image, pixels = image_of(dtype="uint8")
    seen = with_panel(image, panel(), where="row 2")
    assert seen.header.dtype == "uint16"
    np.testing.assert_array_equal(seen.open().read(6, WINDOW), pixels[0].astype(int) + pixels[1])


def test_numbers_and_order_name_channels_too(panel):
    image, _ = image_of(("channel_0", "channel_1"))
    by_number = panel("channel,marker,role\n2,DNA,nuclear\n1,CD3,lineage\n")
    assert with_panel(image, by_number, where="x").header.channels == ("CD3", "DNA")
    by_order = panel("marker,role\nDNA,nuclear\nCD3,lineage\n")
    assert with_panel(image, by_order, where="x").header.channels == ("DNA", "CD3")
    some = panel("channel,marker,role\n2,DNA,nuclear\n")
    assert with_panel(image, some, where="x").header.channels == ("channel_0", "DNA")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "channel,marker,role\nDAPY,DNA,nuclear\n",
            "x: the image has no channel 'DAPY', which the panel calls DNA; did",
        ),
        (
            "channel,marker,role\n7,DNA,nuclear\n",
            "x: the panel's channel 7 (DNA), but the image has 6 channels",
        ),
        ("marker,role\nDNA,nuclear\n", "x: the panel has 1 rows, the image 6 channels"),
        (
            "channel,marker,role\n1,FITC,nuclear\n",
            "x: marker 'FITC' of the panel is also the name of another",
        ),
    ],
)
def test_panels_that_do_not_fit_the_image(panel, text, said):
    with pytest.raises(UserError) as caught:
        with_panel(image_of()[0], panel(text), where="x")
    assert str(caught.value).startswith(said)


def test_all_faults_of_a_fit_at_once(panel):
    made = panel("channel,marker,role\nDAPY,DNA,nuclear\nFITZ,CD3,lineage\n")
    with pytest.raises(UserError) as caught:
        with_panel(image_of()[0], made, where="x")
    assert len(str(caught.value).splitlines()) == 2


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "s.tsv").write_text("sample\timage\n")
    (tmp_path / "panel.csv").write_text(PANEL)

    def load(**options):
        (tmp_path / "c.yaml").write_text(
            "use_case: spatial_proteomics\nsamples: s.tsv\nimage: {panel: panel.csv}\n"
        )
        return load_settings([tmp_path / "c.yaml"], options)

    return load


def test_the_panel_fills_in_what_no_option_says(settings):
    made = settings()
    assert made.segmentation.basins.channel == "DAPI + Histone H3"
    assert (made.cells.guide.channel, made.cells.guide.kind) == ("NaKATPase", "membrane")
    assert made.quantification.channels == ("DAPI", "Histone H3", "NaKATPase", "CD3", "Ki67")


def test_options_win_over_the_panel(settings):
    made = settings(
        **{
            "segmentation.basins.channel": "DAPI",
            "cells.guide.channel": "CD3",
            "quantification.channels": ["CD3"],
        }
    )
    assert made.segmentation.basins.channel == "DAPI"
    assert made.cells.guide.channel == "CD3"
    assert made.quantification.channels == ("CD3",)


def test_labels_need_no_nuclear_channel(settings):
    assert settings(**{"segmentation.method": "labels"}).segmentation.basins.channel is None
