"""Segmentation of a whole image at once: what blocks are compared with, and what needs no blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region
from isthmus.segment.forest import grow_forest
from isthmus.segment.method import LandscapeMethod


def segment_whole(method: LandscapeMethod, pixels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Labels of an image (z, y, x), numbered from 1 in the order of their roots; none is dropped."""
    shape = pixels.shape[0], pixels.shape[1], pixels.shape[2]
    whole = Region((0, 0, 0), shape)
    labels, _, _ = grow_forest(
        method.landscape(pixels),
        read=whole,
        write=whole,
        image_shape=shape,
        merge_radius_px=method.merge_radius_px,
    )
    return labels
