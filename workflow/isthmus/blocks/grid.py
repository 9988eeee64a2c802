"""Blocks: how an image is cut for computing. Pure geometry, in pixels, always (z, y, x)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from math import prod

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Region:
    """A half-open box of pixels, in image coordinates."""

    start: Triple
    stop: Triple

    @property
    def shape(self) -> Triple:
        """Lengths of the box."""
        return _triple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        """Number of pixels."""
        return prod(self.shape)

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Slices of an array that holds the whole image."""
        z, y, x = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return (z, y, x)

    def grown(self, by: Triple, limit: Triple) -> Region:
        """The box grown by so many pixels on each side, cut at the image edge."""
        return Region(
            _triple(max(0, a - g) for a, g in zip(self.start, by, strict=True)),
            _triple(min(n, b + g) for b, g, n in zip(self.stop, by, limit, strict=True)),
        )

    def moved(self, by: Triple) -> Region:
        """The box so many pixels farther from the first pixel."""
        return Region(
            _triple(a + m for a, m in zip(self.start, by, strict=True)),
            _triple(b + m for b, m in zip(self.stop, by, strict=True)),
        )

    def within(self, outer: Region) -> tuple[slice, slice, slice]:
        """Slices of this box in an array that holds `outer`."""
        z, y, x = (slice(a - o, b - o) for a, b, o in zip(self.start, self.stop, outer.start, strict=True))
        return (z, y, x)

    def intersection(self, other: Region) -> Region | None:
        """What both boxes share; None when that is nothing."""
        start = _triple(max(a, b) for a, b in zip(self.start, other.start, strict=True))
        stop = _triple(min(a, b) for a, b in zip(self.stop, other.stop, strict=True))
        return Region(start, stop) if all(a < b for a, b in zip(start, stop, strict=True)) else None


@dataclass(frozen=True)
class Block:
    """One unit of computing; `write` is the region it owns."""

    index: int
    write: Region

    def read(self, halo: Triple, shape: Triple) -> Region:
        """Its read region: the write region and a halo, cut at the image edge."""
        return self.write.grown(halo, shape)


@dataclass(frozen=True)
class Grid:
    """The blocks of one image; they tile it in row-major order."""

    shape: Triple
    block_px: Triple

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or min(self.block_px) < 1:
            raise ValueError(f"image {self.shape} and block {self.block_px} must be positive")

    @cached_property
    def counts(self) -> Triple:
        """Blocks along each axis."""
        return _triple(-(-n // b) for n, b in zip(self.shape, self.block_px, strict=True))

    @property
    def n_blocks(self) -> int:
        """Blocks in all."""
        return prod(self.counts)

    def block(self, index: int) -> Block:
        """The block of this index."""
        if not 0 <= index < self.n_blocks:
            raise IndexError(f"block {index} of {self.n_blocks}")
        _, ny, nx = self.counts
        place = (index // (ny * nx), index // nx % ny, index % nx)
        start = _triple(p * b for p, b in zip(place, self.block_px, strict=True))
        stop = _triple(min(a + b, n) for a, b, n in zip(start, self.block_px, self.shape, strict=True))
        return Block(index, Region(start, stop))

    def overlapping(self, region: Region) -> Iterator[Block]:
        """Blocks whose write regions share pixels with a region."""
        ranges = [
            range(a // b, -(-e // b))
            for a, e, b in zip(region.start, region.stop, self.block_px, strict=True)
        ]
        _, ny, nx = self.counts
        for z, y, x in product(*ranges):
            yield self.block((z * ny + y) * nx + x)


def pack_blocks(blocks: Sequence[int], packs: int) -> list[list[int]]:
    """Cut a list of blocks into packs of neighbouring blocks whose sizes differ by one at most."""
    if packs < 1:
        raise ValueError(f"packs must be at least 1, got {packs}")
    bounds = [len(blocks) * p // packs for p in range(packs + 1)]
    return [list(blocks[a:b]) for a, b in pairwise(bounds)]


def _triple(values: Iterable[int]) -> Triple:
    z, y, x = values
    return (z, y, x)
