"""Compile the kernels of pass 2 that options ask for. `make setup` does it: a worker takes seconds and 150 MB to."""

from __future__ import annotations

import numpy as np

from isthmus.quantify.guide import Guide, grow_guided
from isthmus.quantify.measure import Measures, measure
from isthmus.quantify.warm import small_plane


def warm_options() -> None:
    """Guided growth and texture, in both pixel types."""
    instances = small_plane()
    guide = Guide(channel=0, kind="membrane", weight_milli=1000, dark=0, bright=1)
    for dtype in (np.uint8, np.uint16):
        pixels = np.ones(instances.nuclei.shape, dtype=dtype)
        grow_guided(instances.nuclei, pixels, guide, expand_um=2.0, spacing_um=(1.0, 1.0, 1.0))
        # as much of the image as is looked at: the block and the pixels beside it
        channel = np.ones((1, 8, 9), dtype=dtype)
        measure(instances, [channel] * 2, 2, Measures(texture=True))
