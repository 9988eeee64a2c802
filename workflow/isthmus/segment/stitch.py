"""Global ids from block records: one small computation whose memory grows with instances, not with pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Grid
from isthmus.segment.record import BlockRecord

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lookup:
    """Final ids of all local labels.

    ids
        Final id of every node of every block, 0 where the instance was dropped; blocks one after the other.
    offsets
        Where block b's nodes begin: its local label k has the final id ids[offsets[b] + k - 1]; n_blocks + 1 values.
    n_instances, max_id
        How many instances there are, and the largest id (they differ for imported labels).
    """

    ids: Int64
    offsets: Int64
    n_instances: int
    max_id: int


def stitch(records: Mapping[int, BlockRecord], grid: Grid, *, min_area_px: int) -> Lookup:
    """Resolve exits by pointer jumping; ids are the ranks, from 1, of the kept roots in row-major order.

    Parameters
    ----------
    records
        One record a block, by block index; a missing block had nothing in it.
    grid
        The blocks.
    min_area_px
        Whole instances with fewer pixels are dropped.
    """
    offsets = _offsets(records, grid.n_blocks)
    parent = np.arange(offsets[-1], dtype=np.int64)
    root_index = np.full(parent.size, -1, dtype=np.int64)
    area = np.zeros(parent.size, dtype=np.int64)
    for b, record in records.items():
        first = offsets[b]
        n_roots = record.roots.size
        root_index[first : first + n_roots] = record.roots
        area[first : offsets[b + 1]] = record.area_px
        if record.exits.size:
            parent[first + n_roots : offsets[b + 1]] = _owners_nodes(record.exits, records, grid, offsets)
    parent = _jump(parent)
    total = np.zeros(parent.size, dtype=np.int64)
    np.add.at(total, parent, area)
    kept = np.flatnonzero((root_index >= 0) & (total >= max(1, min_area_px)))
    kept = kept[np.argsort(root_index[kept], kind="stable")]
    final = np.zeros(parent.size, dtype=np.int64)
    final[kept] = np.arange(1, kept.size + 1)
    return Lookup(ids=final[parent], offsets=offsets, n_instances=kept.size, max_id=kept.size)


def keep_ids(records: Mapping[int, BlockRecord], grid: Grid) -> Lookup:
    """Imported labels keep their ids; the records' roots are those ids."""
    offsets = _offsets(records, grid.n_blocks)
    ids = np.zeros(offsets[-1], dtype=np.int64)
    for b, record in records.items():
        ids[offsets[b] : offsets[b + 1]] = record.roots
    unique = np.unique(ids)
    return Lookup(
        ids=ids, offsets=offsets, n_instances=unique.size, max_id=int(unique[-1]) if unique.size else 0
    )


def _offsets(records: Mapping[int, BlockRecord], n_blocks: int) -> Int64:
    sizes = np.zeros(n_blocks + 1, dtype=np.int64)
    for b, record in records.items():
        sizes[b + 1] = record.area_px.size
    return np.cumsum(sizes)


def _owners_nodes(exits: Int64, records: Mapping[int, BlockRecord], grid: Grid, offsets: Int64) -> Int64:
    """The node, in the block that owns it, of each pixel that paths leave to."""
    z, y, x = np.unravel_index(exits, grid.shape)
    bz, by, bx = grid.block_px
    _, ny, nx = grid.counts
    owners = (z // bz * ny + y // by) * nx + x // bx
    nodes = np.empty(exits.size, dtype=np.int64)
    for b in np.unique(owners):
        mine = owners == b
        start, shape = grid.block(int(b)).write.start, grid.block(int(b)).write.shape
        local = ((z[mine] - start[0]) * shape[1] + y[mine] - start[1]) * shape[2] + x[mine] - start[2]
        record = records[int(b)]
        place = np.searchsorted(record.ring_index, local)
        if place.max() >= record.ring_index.size or np.any(record.ring_index[place] != local):
            raise ValueError(f"an exit into block {b} is not in its ring: halo or ring too small")
        nodes[mine] = offsets[b] + record.ring_label[place] - 1
    return nodes


def _jump(parent: Int64) -> Int64:
    """Halve all paths until every node points to its root."""
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return parent
        parent = further


def label_dtype(max_id: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned integer that holds the ids."""
    return np.dtype(np.min_scalar_type(max(max_id, 0)))
