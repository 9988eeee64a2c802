"""What pass 1 says of one block, apart from its pixels: enough to make ids global without reading labels again."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from isthmus.blocks.arrays import arrays_from_bytes, arrays_to_bytes

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class BlockRecord:
    """Nodes of one block: local label k + 1 is node k, roots first, then exits.

    roots
        Row-major index in the image of each root; for imported labels their ids.
    exits
        Row-major index in the image of each pixel that paths leave to.
    area_px
        Pixels of each node (roots, then exits).
    ring_index, ring_label
        Labelled pixels near the block's border: row-major index in the block's write region, and local label.
        Every exit of a neighbour lies in its owner's ring.
    """

    roots: Int64
    exits: Int64
    area_px: Int64
    ring_index: Int64
    ring_label: Int32

    def to_bytes(self) -> bytes:
        """Serialise."""
        return arrays_to_bytes({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_bytes(cls, data: bytes) -> BlockRecord:
        """Read back what `to_bytes` wrote."""
        return cls(**arrays_from_bytes(data))


def make_record(labels: Int32, roots: Int64, exits: Int64, *, ring_px: tuple[int, int, int]) -> BlockRecord:
    """Summarise a block's local labels (z, y, x); ring_px is the depth of the ring along each axis."""
    area = np.bincount(labels.reshape(-1), minlength=roots.size + exits.size + 1)[1:]
    ring = np.ones(labels.shape, dtype=bool)
    inner = tuple(slice(r, n - r) for r, n in zip(ring_px, labels.shape, strict=True))
    ring[inner] = False
    ring &= labels > 0
    index = np.flatnonzero(ring)
    return BlockRecord(
        roots=roots,
        exits=exits,
        area_px=area.astype(np.int64),
        ring_index=index.astype(np.int64),
        ring_label=labels.reshape(-1)[index],
    )
