"""Load or compile the kernels of pass 1. Imported by the process that workers are forked from: they share the code."""

from __future__ import annotations

import numpy as np

from isthmus.blocks.grid import Region
from isthmus.config.presets import PRESETS
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.basins import BasinsMethod, derive_parameters
from isthmus.segment.forest import grow_forest
from isthmus.segment.polygon_kernels import paint
from isthmus.segment.record import make_record


def warm() -> None:
    """Run pass 1 on small planes, of coarse and of fine pixels, and on a small volume."""
    for shape, size_um, preset in (
        ((1, 24, 24), 1.0, "culture"),
        ((1, 24, 24), 0.25, "uneven_background"),
        ((4, 24, 24), 1.0, "tissue"),
    ):
        pixels = np.zeros(shape, dtype=np.uint16)
        pixels[:, 8:16, 8:16] = 1000
        survey = ChannelSurvey(np.bincount(pixels.reshape(-1), minlength=65_536).astype(np.int64))
        parameters = derive_parameters(PRESETS[preset], pixel_size_um=(1.0, size_um, size_um), survey=survey)
        method = BasinsMethod(channel=0, parameters=parameters)
        whole = Region((0, 0, 0), shape)
        labels, roots, exits = grow_forest(
            method.landscape(pixels),
            read=whole,
            write=whole,
            image_shape=shape,
            merge_radius_px=method.merge_radius_px,
        )
        make_record(labels, roots, exits, ring_px=(1, 1, 1))
    square = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])
    paint(square, np.array([0, 4]), 0, 1, 1, 0, 0, np.zeros((4, 4), dtype=np.int64))


warm()
