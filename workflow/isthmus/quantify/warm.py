"""Load or compile the kernels of pass 2. Imported by the process that workers are forked from: they share the code."""

from __future__ import annotations

import numpy as np

from isthmus.blocks.grid import Region
from isthmus.quantify.counts import warm_counts
from isthmus.quantify.grow import grow
from isthmus.quantify.outline_record import outline_record
from isthmus.quantify.sums import add_channel, add_geometry, empty_sums


def warm() -> None:
    """Run pass 2 on a small plane, in both pixel types."""
    nuclei = np.zeros((1, 8, 8), dtype=np.int32)
    nuclei[0, 3:5, 3:5] = 1
    cells = grow(nuclei, expand_um=2.0, spacing_um=(1.0, 1.0, 1.0))
    sums = empty_sums(1, 1)
    add_geometry(sums, cells, nuclei, write=Region((0, 0, 0), (1, 8, 8)), image_shape=(1, 8, 8))
    ids = np.ones(1, dtype=np.int64)
    outline_record(cells, ids, write=Region((0, 0, 0), (1, 8, 8)), image_shape=(1, 8, 8))
    for dtype in (np.uint8, np.uint16):
        for n in (1, 2):  # the sums of one of several channels lie apart, which is other code
            add_channel(empty_sums(n, n), 0, np.ones((1, 8, 8), dtype=dtype), cells, nuclei)
    warm_counts(cells, nuclei)


warm()
