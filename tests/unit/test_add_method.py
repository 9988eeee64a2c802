"""A landscape method is one file, its options and its name in METHODS: nothing else knows of it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from block_store import run_blocks
from oracle import oracle_labels
from synthetic import Tissue
from toy_method import ToyMethod, ToyOptions

from isthmus.config.segmentation import SegmentationOptions
from isthmus.errors import UserError
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.methods import METHODS, channel_index, make_method, min_area_px

SHAPE = (61, 75)


class WithToy(SegmentationOptions):
    """The configuration's section with one method more."""

    method: Literal["toy"] = "toy"  # type: ignore[assignment]
    toy: ToyOptions = ToyOptions()


@pytest.fixture
def pixels(monkeypatch):
    monkeypatch.setitem(METHODS, "toy", "toy_method")
    return Tissue(seed=5).image(SHAPE, n_channels=2)


def _make(pixels, options):
    surveys = [ChannelSurvey(np.bincount(channel.reshape(-1), minlength=65_536)) for channel in pixels]
    return make_method(options, channels=["CD3", "DAPI"], surveys=surveys, spacing_um=(1.0, 0.5, 0.5))


def test_its_options_reach_it(pixels):
    options = WithToy(toy=ToyOptions(channel="DAPI", percentile=50.0, min_area_um2=3.0))
    survey = ChannelSurvey(np.bincount(pixels[1].reshape(-1), minlength=65_536))
    assert _make(pixels, options) == ToyMethod(channel=1, level=survey.percentile(50))
    assert min_area_px(options, spacing_um=(1.0, 0.5, 0.5), is_volume=False) == 12
    with pytest.raises(UserError, match=r"segmentation.toy.channel: the image has no channel 'x'"):
        channel_index(WithToy(toy=ToyOptions(channel="x")), ["CD3", "DAPI"])


def test_blocks_do_not_show(pixels, tmp_path):
    method = _make(pixels, WithToy())
    whole = run_blocks(tmp_path / "whole", pixels, (1, *SHAPE), method=method)
    wanted = oracle_labels(method.landscape(pixels[0]), radius_px=method.merge_radius_px)
    assert np.array_equal(whole.nuclei, wanted)
    assert whole.lookup.n_instances > 10
    for block_px in [(1, 16, 16), (1, 13, 27), (1, 5, 75)]:
        assert np.array_equal(
            run_blocks(tmp_path / f"{block_px}", pixels, block_px, method=method).nuclei, wanted
        )
