"""Load or compile the kernels of pass 2. Imported by the process that workers are forked from: they share the code."""

from __future__ import annotations

import numpy as np

from isthmus.blocks.grid import Region
from isthmus.quantify.counts import warm_counts
from isthmus.quantify.grow import grow
from isthmus.quantify.measure import Instances, Measures, measure
from isthmus.quantify.outline_record import outline_record
from isthmus.quantify.relabel import relabel, seen_labels
from isthmus.quantify.surface import count_exits
from isthmus.quantify.values import join_counts, order_statistics


def small_plane() -> Instances:
    """Two nuclei and their cells, of which a block has the first alone."""
    shape = (1, 8, 16)
    read, write = Region((0, 0, 0), shape), Region((0, 0, 0), (1, 8, 8))
    nuclei = np.zeros(shape, dtype=np.int32)
    nuclei[0, 3:5, 3:5], nuclei[0, 3:5, 7:9] = 1, 2
    cells = grow(nuclei, expand_um=2.0, spacing_um=(1.0, 1.0, 1.0))
    ids, alone = np.array([1, 2], dtype=np.int64), np.array([True, False])
    return Instances(nuclei, cells, ids, alone, read, write, shape)


def warm() -> None:
    """Run pass 2 on a small plane, in both pixel types."""
    instances = small_plane()
    cells, nuclei, ids = instances.cells, instances.nuclei, instances.ids
    block = np.ascontiguousarray(cells[..., :8])
    outline_record(block, ids, write=instances.write, image_shape=instances.image_shape)
    for dtype in (np.uint8, np.uint16):
        measure(instances, [np.ones((1, 8, 8), dtype=dtype)] * 2, 2, Measures())
    count_exits(np.ones((2, 2, 2), dtype=np.int32), (slice(0, 2),) * 3, 1)
    local = np.zeros((1, 2, 2), dtype=np.uint32)
    seen_labels(local, 0)
    for width in (2, 3):  # a part of an array that lies together, and one that does not
        relabel(local, np.zeros(1, dtype=np.int32), np.zeros((1, 2, width), dtype=np.int32)[..., :2])
    for size in (1, 2, 4, 8):
        relabel(np.zeros(1, dtype=np.int32), np.zeros(1, dtype=f"u{size}"))
    # What build_table does with cells that blocks could not finish.
    piece = np.zeros(1, dtype=np.int64), np.array([[0, 1]], dtype=np.int64)
    values, offsets = join_counts(*piece, np.ones(1, dtype=np.uint16), np.ones(1, dtype=np.int32), 2)
    order_statistics(values, offsets, Measures().milli)
    warm_counts(cells, nuclei)


warm()
