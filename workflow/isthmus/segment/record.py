"""What pass 1 says of one block, apart from its pixels: enough to make ids global without reading labels again."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from isthmus.blocks.arrays import arrays_from_bytes, arrays_to_bytes

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]

_RUNS = 8192


@dataclass(frozen=True)
class BlockRecord:
    """Nodes of one block: local label k + 1 is node k, roots first, then exits.

    roots
        Row-major index in the image of each root; for imported labels their ids.
    exits
        Row-major index in the image of each pixel that paths leave to.
    area_px
        Pixels of each node (roots, then exits).
    ring_start, ring_length, ring_label
        Labelled pixels near the block's border, as runs along x: row-major index in the block's write region of a
        run's first pixel, its pixels, and their local label; runs in the order of their starts. Every exit of a
        neighbour lies in its owner's ring.
    """

    roots: Int64
    exits: Int64
    area_px: Int64
    ring_start: Int64
    ring_length: Int32
    ring_label: Int32

    def ring_labels_at(self, index: Int64) -> Int32:
        """Local labels of pixels (row-major index in the write region), 0 where the ring has none."""
        labels = np.zeros(index.shape, dtype=np.int32)
        if self.ring_start.size:
            run = np.searchsorted(self.ring_start, index, side="right") - 1
            inside = (run >= 0) & (index < self.ring_start[run] + self.ring_length[run])
            labels[inside] = self.ring_label[run[inside]]
        return labels

    def to_bytes(self) -> bytes:
        """Serialise."""
        return arrays_to_bytes({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_bytes(cls, data: bytes) -> BlockRecord:
        """Read back what `to_bytes` wrote."""
        return cls(**arrays_from_bytes(data))


def make_record(labels: Int32, roots: Int64, exits: Int64, *, ring_px: tuple[int, int, int]) -> BlockRecord:
    """Summarise a block's local labels (z, y, x); ring_px is the depth of the ring along each axis."""
    # Imported here because stitching reads records and needs no kernels.
    from isthmus.segment.ring import count_pixels

    labels = np.ascontiguousarray(labels)
    area = np.zeros(roots.size + exits.size, dtype=np.int64)
    count_pixels(labels.reshape(-1), area)
    start, length, label = _ring(labels, ring_px, _RUNS)
    return BlockRecord(roots, exits, area, start, length, label)


def _ring(labels: Int32, ring_px: tuple[int, int, int], room: int) -> tuple[Int64, Int32, Int32]:
    """The runs of the ring; looked for once more where there are more than there is room for."""
    from isthmus.segment.ring import find_ring_runs

    start = np.empty(room, dtype=np.int64)
    length, label = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    found = find_ring_runs(labels, ring_px, start, length, label)
    if found > room:
        return _ring(labels, ring_px, found)
    return start[:found].copy(), length[:found].copy(), label[:found].copy()
