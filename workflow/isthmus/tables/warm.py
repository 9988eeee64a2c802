"""Load or compile the kernels of the tables."""

from __future__ import annotations

import numpy as np

from isthmus.blocks.grid import Region
from isthmus.image.affine import Affine
from isthmus.quantify.outlines import trace_outlines
from isthmus.quantify.runs import pixel_runs
from isthmus.tables.wkb import encode


def warm() -> None:
    """Outline one pixel."""
    pixel = np.ones((1, 1, 1), dtype=np.int32)
    made = trace_outlines(pixel_runs(pixel, write=Region((0, 0, 0), (1, 1, 1))))
    encode(made.code, made.bounds, np.zeros((1, 2), dtype=np.int32), Affine.from_size(1.0))


warm()
