"""How an image is cut where nobody says how: blocks for computing, shards for storing. Pure geometry, (z, y, x)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from isthmus.blocks.grid import Grid, Triple
from isthmus.errors import UserError

CHUNK_PX: Triple = (1, 256, 256)
VOLUME_CHUNK_PX: Triple = (16, 128, 128)
"""Smallest readable piece of a stored image."""

_VOLUME_Z = 64
_VOLUME_EDGE_PX = 512
_EDGES_PX = (1024, 2048, 4096)
_MOST_PIECES = 1024
"""Pieces of a plane from which on they are cut larger, so that files stay few."""

_MOST_BLOCK_PIXELS = 1 << 28
"""Indices within a block and its margin are 32 bits wide; this leaves room for a margin of seven times as many."""


_MOST_SHARED_PIXELS = 1 << 26
"""Pixels of all channels of an image that are stored as one file: a job holds them at once."""


def default_piece_px(shape: Triple, n_images: int = 1) -> Triple:
    """Blocks of labels and shards of images (z, y, x) for images of this shape.

    A piece is one stored file. Planes have at most 1024 of them together, up to pieces of 4096 pixels a side: beyond, a
    worker would hold more than a core's share of a node's memory.
    """
    if shape[0] > 1:
        return (_VOLUME_Z, _VOLUME_EDGE_PX, _VOLUME_EDGE_PX)
    for edge in _EDGES_PX:
        piece = (1, edge, edge)
        if n_images * Grid(shape, piece).n_blocks <= _MOST_PIECES:
            return piece
    return (1, _EDGES_PX[-1], _EDGES_PX[-1])


def channels_of_shard(shape: Triple, piece_px: Triple, n_channels: int) -> int:
    """Channels that share a stored file in an image (z, y, x) among many: all, where it is one small piece."""
    one_piece = Grid(shape, piece_px).n_blocks == 1
    return n_channels if one_piece and prod(shape) * n_channels <= _MOST_SHARED_PIXELS else 1


def block_shape(block_px: int | Sequence[int] | None, shape: Triple, n_images: int = 1) -> Triple:
    """The block (z, y, x) that `execution.block_px` asks for; a plane has z = 1."""
    if block_px is None:
        return default_piece_px(shape, n_images)
    if isinstance(block_px, int):
        return (1 if shape[0] == 1 else _VOLUME_Z, block_px, block_px)
    z, y, x = block_px
    return (1 if shape[0] == 1 else z, y, x)


def check_block(block_px: Triple, shape: Triple) -> None:
    """A block, cut at the image edge, must not have more pixels than its indices can count."""
    cut = tuple(min(block, size) for block, size in zip(block_px, shape, strict=True))
    if prod(cut) > _MOST_BLOCK_PIXELS:
        raise UserError(
            where="execution.block_px",
            found=f"a block of {' x '.join(map(str, cut))} pixels (z, y, x) is too large",
            do=f"choose blocks of at most {_MOST_BLOCK_PIXELS} pixels, such as 1 x 16384 x 16384 or 64 x 2048 x 2048",
        )


def read_pixels(grid: Grid, border_px: Triple) -> tuple[int, int]:
    """Pixels read by all blocks together with a border around each, cut at the image edge, and by the largest.

    Both are exact: along each axis the read lengths of the blocks add up by themselves.
    """
    total, largest = 1, 1
    for size, block, border in zip(grid.shape, grid.block_px, border_px, strict=True):
        lengths = [
            min(start + block + border, size) - max(0, start - border) for start in range(0, size, block)
        ]
        total *= sum(lengths)
        largest *= max(lengths)
    return total, largest
