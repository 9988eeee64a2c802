"""Windows across seams, drawn at random: pure geometry, in pixels, (z, y, x)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from isthmus.blocks.grid import Grid, Region, Triple

PLANE_PX: Triple = (1, 256, 256)
VOLUME_PX: Triple = (16, 64, 64)
_TRIES = 8


def choose_windows(
    grid: Grid, *, n: int, seed: int, blocks: Sequence[int], holds: Callable[[Region], bool]
) -> list[Region]:
    """Draw windows: every other one is centred where seams cross, the others on a seam between two blocks.

    Parameters
    ----------
    grid
        The blocks. Where there is one only there are no seams, and so no windows.
    n, seed
        How many windows, and what starts the draw.
    blocks
        Blocks whose sides are drawn from: those with cells at seams; none for all blocks.
    holds
        Whether a window shows anything. Windows that do are taken first.
    """
    taken: dict[Region, None] = {}
    spare: dict[Region, None] = {}
    for tried, window in enumerate(_draw(grid, Random(seed), blocks or range(grid.n_blocks))):
        if len(taken) == n or tried == _TRIES * n:
            break
        if window not in taken and window not in spare:
            (taken if holds(window) else spare)[window] = None
    return [*taken, *spare][:n]


def _draw(grid: Grid, random: Random, blocks: Sequence[int]) -> Iterator[Region]:
    """Windows without end; none where there are no seams."""
    size = VOLUME_PX if grid.shape[0] > 1 else PLANE_PX
    axes = [axis for axis in range(3) if grid.counts[axis] > 1]
    crossing = True
    while axes:
        write = grid.block(random.choice(blocks)).write
        across = axes if crossing else [random.choice(axes)]
        centre = [
            random.choice(_seams(write, axis, grid.shape))
            if axis in across
            else random.randrange(write.start[axis], write.stop[axis])
            for axis in range(3)
        ]
        yield _around((centre[0], centre[1], centre[2]), size, grid.shape)
        crossing = not crossing


def _seams(write: Region, axis: int, shape: Triple) -> list[int]:
    """Where a block's sides across an axis lie, without those that are the image's edge."""
    return [side for side in (write.start[axis], write.stop[axis]) if 0 < side < shape[axis]]


def _around(centre: Triple, size: Triple, shape: Triple) -> Region:
    """A window of this size about a pixel, moved into the image; smaller where the image is."""
    lengths = [min(s, n) for s, n in zip(size, shape, strict=True)]
    z, y, x = (
        max(0, min(c - length // 2, n - length)) for c, length, n in zip(centre, lengths, shape, strict=True)
    )
    return Region((z, y, x), (z + lengths[0], y + lengths[1], x + lengths[2]))
