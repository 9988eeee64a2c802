"""`basins` whose operators look no farther than they must, so that small images show how far that is."""

from __future__ import annotations

import dataclasses

import numpy as np

from isthmus.config.presets import BasinsSettings
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.basins_parameters import BasinsParameters, Triple, derive_parameters


def tiny_parameters(is_volume: bool, lattice_px: Triple = (1, 1, 1)) -> BasinsParameters:
    """Every operator looks one pixel far and hardly smooths, so that a far pixel can matter."""
    survey = ChannelSurvey(np.bincount([0, 1000], minlength=65_536))
    one, none = (40000, 12768), (65536,)
    kernel = (one if is_volume else none, one, one)
    window = (1 if is_volume else 0, 1, 1)
    return dataclasses.replace(
        derive_parameters(BasinsSettings(), pixel_size_um=(1.0, 1.0, 1.0), survey=survey),
        lattice_px=lattice_px,
        background=0,
        unit=200,
        tone_background=0,
        tone_floor=3000,
        local_share=1000,
        hole_share=700,
        smoothing=kernel,
        windows_px=(window, window),
        outline=kernel,
        hole_px=1,
        groove_smoothing=(none, none, none),
        groove_half_px=1,
        groove_offset_px=1,
        groove_tones=3000,
        groove_near=16,
        groove_far=48,
        step=(16, 16, 16),
        distance_limit=32,
        distance_smoothing=kernel,
        neck_share=800,
        neck_px=(0, 0, 0),
        merge_px=window,
    )
