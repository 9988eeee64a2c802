"""From the options of segmentation to whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from block_store import PixelsAreLandscape

from isthmus.blocks.grid import Region
from isthmus.config.segmentation import BasinsOptions, SegmentationOptions
from isthmus.errors import UserError
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.method import LandscapeMethod, read_region
from isthmus.segment.methods import channel_index, make_method, min_area_px


def _least(area_um2, spacing_um, is_volume=False):
    options = SegmentationOptions(basins=BasinsOptions(min_area_um2=area_um2))
    return min_area_px(options, spacing_um=spacing_um, is_volume=is_volume)


@pytest.mark.parametrize("size_um", [0.1, 0.2, 0.2125, 0.3, 0.325, 0.5, 0.65, 0.7, 1.3])
def test_a_nucleus_of_just_the_least_area_is_kept(size_um):
    for pixels in range(1, 300):
        assert _least(pixels * size_um * size_um, (1.0, size_um, size_um)) == pixels
        assert _least((pixels + 0.01) * size_um * size_um, (1.0, size_um, size_um)) == pixels + 1


def test_no_least_area_is_one_pixel():
    assert _least(0.0, (1.0, 1.0, 1.0)) == 1
    assert _least(0.0, (1.0, 1.0, 1.0), is_volume=True) == 1


def test_in_a_volume_the_least_nucleus_is_a_ball():
    # A ball of radius 3 um has a section of 28.27 um2 and a volume of 113.1 um3.
    assert _least(np.pi * 9, (2.0, 0.5, 0.5), is_volume=True) == np.ceil(np.pi * 36 / 0.5)


def _index(channel):
    return channel_index(SegmentationOptions(basins=BasinsOptions(channel=channel)), ["CD3", "DAPI"])


def test_the_channel_of_the_nuclei():
    assert _index(None) == 0
    assert _index("DAPI") == 1
    with pytest.raises(UserError, match=r"no channel 'Dapi' \(it has CD3, DAPI\)"):
        _index("Dapi")


@pytest.mark.parametrize("spacing_um", [(1.0, 0.5, 0.5), (2.0, 0.5, 0.25)])
def test_the_method_basins_says_what_it_needs(spacing_um):
    histogram = np.bincount(np.random.default_rng(0).integers(0, 900, 5000), minlength=65_536)
    method: LandscapeMethod = make_method(
        SegmentationOptions(basins=BasinsOptions(channel="DAPI")),
        channels=["CD3", "DAPI"],
        surveys=[ChannelSurvey(histogram), ChannelSurvey(histogram)],
        spacing_um=spacing_um,
    )
    assert method.channel == 1
    assert all(h >= max(1, m) for h, m in zip(method.halo_px[1:], method.merge_radius_px[1:], strict=True))
    pixels = np.random.default_rng(1).integers(0, 900, (1, 20, 20)).astype(np.uint16)
    assert np.issubdtype(method.landscape(pixels).dtype, np.unsignedinteger)


@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (Region((0, 8, 8), (1, 16, 16)), Region((0, 4, 4), (1, 20, 20))),
        (Region((0, 7, 9), (1, 15, 17)), Region((0, 4, 4), (1, 20, 20))),
        (Region((0, 0, 0), (1, 8, 8)), Region((0, 0, 0), (1, 12, 12))),
        (Region((0, 16, 24), (1, 22, 31)), Region((0, 12, 20), (1, 22, 31))),
    ],
    ids=["on the lattice", "off the lattice", "at the origin", "at an edge off the lattice"],
)
def test_a_read_region_has_the_halo_and_whole_bins(write, wanted):
    method = PixelsAreLandscape(merge_radius_px=(0.0, 3.0, 3.0), lattice_px=(1, 4, 4))
    assert read_region(method, write, (1, 22, 31)) == wanted


def test_without_a_lattice_a_read_region_is_the_write_region_with_halo():
    write = Region((0, 7, 9), (1, 15, 17))
    assert read_region(PixelsAreLandscape(), write, (1, 22, 31)) == write.grown((0, 2, 2), (1, 22, 31))
