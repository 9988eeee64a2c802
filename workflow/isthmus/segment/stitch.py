"""Global ids from block records: one small computation whose memory grows with instances, not with pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Grid
from isthmus.blocks.stack import Stack, stack_of
from isthmus.segment.record import BlockRecord

Int64 = npt.NDArray[np.int64]
Ids = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Lookup:
    """Final ids of all local labels.

    ids
        Final id of every node of every block, 0 where the instance was dropped; blocks one after the other, in the
        smallest type that holds them.
    offsets
        Where block b's nodes begin: its local label k has the final id ids[offsets[b] + k - 1]; n_blocks + 1 values.
    roots
        Row-major index in the image of the root of each instance: id k at k - 1. For imported labels, which have no
        roots, the ids themselves, ascending; of many images, places in the image that rank like the ids in it.
    max_id
        The largest id (for imported labels it may exceed the number of instances).
    given
        For imported labels of many images, the id that each instance has in its own image.
    """

    ids: Ids
    offsets: Int64
    roots: Int64
    max_id: int
    given: Int64 | None = None

    @property
    def n_instances(self) -> int:
        """How many instances there are."""
        return self.roots.size


@dataclass(frozen=True)
class _Nodes:
    """The nodes of all blocks; `first_root[b]` and `first_exit[b]` say where block b's begin (n_blocks + 1 values)."""

    first_root: Int64
    first_exit: Int64
    roots: Int64
    root_area: Int64
    exits: Int64
    exit_area: Int64


def stitch(records: Mapping[int, BlockRecord], grid: Grid | Stack, *, min_area_px: int) -> Lookup:
    """Resolve exits by pointer jumping; ids are the ranks, from 1, of the kept roots in row-major order.

    Parameters
    ----------
    records
        One record a block, by block index; a missing block had nothing in it. A record is asked for at most twice and
        not kept, so the mapping may read it from disk each time.
    grid
        The blocks of an image, or of several: then roots and exits count the pixels of all images.
    min_area_px
        Whole instances with fewer pixels are dropped.

    Raises
    ------
    ValueError
        An exit leads to a pixel that is not in its owner's ring.
    """
    nodes = _gather(records, grid.n_blocks)
    root_of = _jump(_owners_nodes(nodes, records, stack_of(grid)))
    np.add.at(nodes.root_area, root_of, nodes.exit_area)
    kept = np.flatnonzero(nodes.root_area >= max(1, min_area_px))
    kept = kept[np.argsort(nodes.roots[kept], kind="stable")]
    dtype = label_dtype(kept.size)
    id_of_root = np.zeros(nodes.roots.size, dtype=dtype)
    id_of_root[kept] = np.arange(1, kept.size + 1, dtype=dtype)
    ids = np.empty(nodes.roots.size + nodes.exits.size, dtype=dtype)
    # In every block the exits stand after the roots.
    place = np.arange(nodes.exits.size) + np.repeat(nodes.first_root[1:], np.diff(nodes.first_exit))
    is_root = np.ones(ids.size, dtype=bool)
    is_root[place] = False
    ids[is_root] = id_of_root
    ids[place] = id_of_root[root_of]
    return Lookup(ids, nodes.first_root + nodes.first_exit, nodes.roots[kept], kept.size)


def keep_ids(records: Mapping[int, BlockRecord], grid: Grid | Stack) -> Lookup:
    """Imported labels keep their ids; the records' roots are those ids."""
    nodes = _gather(records, grid.n_blocks)
    unique = np.unique(nodes.roots)
    max_id = int(unique[-1]) if unique.size else 0
    return Lookup(nodes.roots.astype(label_dtype(max_id)), nodes.first_root, unique, max_id)


def number_ids(records: Mapping[int, BlockRecord], stack: Stack) -> Lookup:
    """Imported labels of many images: the same id in two images is two instances, ranked by image, then by id."""
    nodes = _gather(records, stack.n_blocks)
    image = np.repeat(
        [stack.locate(block).image for block in range(stack.n_blocks)], np.diff(nodes.first_root)
    ).astype(np.int64)
    order = np.lexsort((nodes.roots, image))
    of_image, given = image[order], nodes.roots[order]
    is_new = np.ones(order.size, dtype=bool)
    is_new[1:] = (np.diff(of_image) > 0) | (np.diff(given) > 0)
    ids = np.empty(order.size, dtype=label_dtype(int(is_new.sum())))
    ids[order] = np.cumsum(is_new)
    of_image, given = of_image[is_new], given[is_new]
    first = np.searchsorted(of_image, of_image)
    places = np.array(stack.first_pixels(), dtype=np.int64)[of_image] + np.arange(given.size) - first
    return Lookup(ids, nodes.first_root, places, given.size, given)


def _gather(records: Mapping[int, BlockRecord], n_blocks: int) -> _Nodes:
    """Everything of the records but their rings."""
    roots, exits, root_area, exit_area = ([np.empty(0, dtype=np.int64)] * n_blocks for _ in range(4))
    for b in records:
        record = records[b]
        n = record.roots.size
        roots[b], exits[b] = record.roots, record.exits
        root_area[b], exit_area[b] = record.area_px[:n], record.area_px[n:]
    first_root, first_exit = _starts(roots), _starts(exits)
    return _Nodes(first_root, first_exit, *(_joined(parts) for parts in (roots, root_area, exits, exit_area)))


def _starts(parts: list[Int64]) -> Int64:
    return np.cumsum([0, *(part.size for part in parts)], dtype=np.int64)


def _joined(parts: list[Int64]) -> Int64:
    """One array of all parts, which are given up: memory holds one field twice at most."""
    joined = np.concatenate(parts)
    parts.clear()
    return joined


def _owners_nodes(nodes: _Nodes, records: Mapping[int, BlockRecord], stack: Stack) -> Int64:
    """Where each exit leads: root number r as r, exit number e as -1 - e. One ring is held at a time."""
    owners, z, y, x = _places(nodes.exits, stack)
    order = np.argsort(owners, kind="stable")
    targets = np.empty(nodes.exits.size, dtype=np.int64)
    of_block, begins = np.unique(owners[order], return_index=True)
    for b, mine in zip(of_block.tolist(), np.split(order, begins[1:]), strict=False):
        place = stack.locate(b)
        write = place.grid.block(place.index).write
        start, shape = write.start, write.shape
        local = ((z[mine] - start[0]) * shape[1] + y[mine] - start[1]) * shape[2] + x[mine] - start[2]
        record = records[b]
        node = record.ring_labels_at(local).astype(np.int64) - 1
        if node.min() < 0:
            raise ValueError(f"an exit into block {b} is not in its ring: halo or ring too small")
        is_root = node < record.roots.size
        exit_number = nodes.first_exit[b] + node - record.roots.size
        targets[mine] = np.where(is_root, nodes.first_root[b] + node, -1 - exit_number)
    return targets


def _places(exits: Int64, stack: Stack) -> tuple[Int64, Int64, Int64, Int64]:
    """The block that owns each pixel, and its z, y and x in its image."""
    found = np.empty((4, exits.size), dtype=np.int64)
    first_pixel = first_block = 0
    for n, shape in stack.runs:
        grid, size = Grid(shape, stack.block_px), prod(shape)
        inside = np.flatnonzero((exits >= first_pixel) & (exits < first_pixel + n * size))
        image, pixel = np.divmod(exits[inside] - first_pixel, size)
        z, y, x = np.unravel_index(pixel, shape)
        bz, by, bx = grid.block_px
        _, ny, nx = grid.counts
        owner = first_block + image * grid.n_blocks + (z // bz * ny + y // by) * nx + x // bx
        found[:, inside] = owner, z, y, x
        first_pixel += n * size
        first_block += n * grid.n_blocks
    owners, z, y, x = found
    return owners, z, y, x


def _jump(targets: Int64) -> Int64:
    """The root number that each exit ends at: paths from exit to exit are halved until none is left."""
    targets = targets.copy()
    open_ends = np.flatnonzero(targets < 0)
    for _ in range(targets.size.bit_length() + 1):
        if not open_ends.size:
            return targets
        targets[open_ends] = targets[-1 - targets[open_ends]]
        open_ends = open_ends[targets[open_ends] < 0]
    raise ValueError("exits lead in a circle: records of different runs are mixed")


def label_dtype(max_id: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned integer that holds the ids."""
    # By name: C has two types of 64 bits, and Zarr does not know the one that this may be.
    return np.dtype(np.min_scalar_type(max(max_id, 0)).name)
