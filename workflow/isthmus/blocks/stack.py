"""The blocks of all images of a sample: image by image, in each row by row. Pure geometry.

Images don't touch: each has a grid of its own, in pixels of its own, and no block reads beyond its image. What must be
one order for the whole sample (blocks, and the pixels that roots are ranked by) counts the images one after the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from math import prod

from isthmus.blocks.grid import Grid, Triple


@dataclass(frozen=True)
class Place:
    """A block as its image knows it."""

    image: int
    index: int
    grid: Grid


@dataclass(frozen=True)
class Stack:
    """Images, each cut into blocks of one shape.

    runs
        (number of images, their shape) of images of equal shape that follow each other: a plate is one run, and what
        workers are sent stays small.
    """

    runs: tuple[tuple[int, Triple], ...]
    block_px: Triple

    def __post_init__(self) -> None:
        if not self.runs or min(n for n, _ in self.runs) < 1:
            raise ValueError(f"there must be an image, and no run without one: {self.runs}")

    @classmethod
    def of(cls, shapes: Iterable[Triple], block_px: Triple) -> Stack:
        """The stack of images of these shapes (z, y, x)."""
        runs = tuple((len(list(same)), shape) for shape, same in groupby(shapes))
        return cls(runs, block_px)

    @property
    def n_images(self) -> int:
        """Images in all."""
        return sum(n for n, _ in self.runs)

    @property
    def n_blocks(self) -> int:
        """Blocks of all images."""
        return self._starts(self._blocks())[-1]

    @property
    def n_pixels(self) -> int:
        """Pixels of all images."""
        return self._starts(self._pixels())[-1]

    def grid(self, image: int) -> Grid:
        """The blocks of one image."""
        return self._grids()[self._run_of(image)]

    def first_block(self, image: int) -> int:
        """Where the blocks of an image begin."""
        return self._start(image, self._blocks())

    def first_pixel(self, image: int) -> int:
        """Where the pixels of an image begin."""
        return self._start(image, self._pixels())

    def first_pixels(self) -> list[int]:
        """Where the pixels of each image begin, and where the last one's end."""
        sizes = [size for (n, _), size in zip(self.runs, self._pixels(), strict=True) for _ in range(n)]
        return [0, *accumulate(sizes)]

    def locate(self, block: int) -> Place:
        """The image of a block, and which block of it this is."""
        if not 0 <= block < self.n_blocks:
            raise IndexError(f"block {block} of {self.n_blocks}")
        sizes = self._blocks()
        starts = self._starts(sizes)
        run = bisect_right(starts, block) - 1
        image, index = divmod(block - starts[run], sizes[run])
        return Place(sum(n for n, _ in self.runs[:run]) + image, index, self._grids()[run])

    def images_of(self, blocks: Iterable[int]) -> list[int]:
        """The images in which some blocks lie, ascending."""
        return sorted({self.locate(block).image for block in blocks})

    def _grids(self) -> list[Grid]:
        return [Grid(shape, self.block_px) for _, shape in self.runs]

    def _blocks(self) -> list[int]:
        """Blocks of an image of each run."""
        return [grid.n_blocks for grid in self._grids()]

    def _pixels(self) -> list[int]:
        """Pixels of an image of each run."""
        return [prod(shape) for _, shape in self.runs]

    def _starts(self, sizes: Sequence[int]) -> list[int]:
        """Where each run begins if its images have these sizes, and where the last one ends."""
        return [0, *accumulate(n * size for (n, _), size in zip(self.runs, sizes, strict=True))]

    def _run_of(self, image: int) -> int:
        if not 0 <= image < self.n_images:
            raise IndexError(f"image {image} of {self.n_images}")
        return bisect_right([0, *accumulate(n for n, _ in self.runs)], image) - 1

    def _start(self, image: int, sizes: Sequence[int]) -> int:
        run = self._run_of(image)
        before = sum(n for n, _ in self.runs[:run])
        return self._starts(sizes)[run] + (image - before) * sizes[run]


def stack_of(blocks: Grid | Stack) -> Stack:
    """One image is a stack of one."""
    return blocks if isinstance(blocks, Stack) else Stack(((1, blocks.shape),), blocks.block_px)
