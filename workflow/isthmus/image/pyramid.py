"""The coarser levels of images and label images: each halves the one before along y and x, one owner a shard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.image.ome_zarr import Level

COARSEST_PX = 512
COARSEST_OF_MANY_PX = 2560
"""Of an image among many, such as a field of a well: what a camera takes at once is shown at once, without levels."""

How = Literal["mean", "nearest"]


def level_factors(shape: Triple, coarsest_px: int | None = None) -> list[Triple]:
    """Level-0 pixels (z, y, x) that a pixel of each level covers; the coarsest level fits coarsest_px a side."""
    most = COARSEST_PX if coarsest_px is None else coarsest_px
    factors = [(1, 1, 1)]
    while max(-(-n // factors[-1][1]) for n in shape[1:]) > most:
        last = factors[-1][1]
        factors.append((1, last * 2, last * 2))
    return factors


def level_shape(shape: Triple, factor: Triple) -> Triple:
    """Shape of a level: sizes are rounded up, so that no pixel of level 0 is left out."""
    z, y, x = (-(-n // f) for n, f in zip(shape, factor, strict=True))
    return (z, y, x)


@dataclass(frozen=True)
class HalvingJob:
    """What a worker needs to make any shard of one level from the level before."""

    finer: Path
    coarser: Path
    finer_shape: Triple
    grid: Grid
    n_channels: int | None
    how: How


def halve_shard(job: HalvingJob, task: tuple[int, int]) -> None:
    """Make one shard; the task is (channel, block index), channel 0 for labels."""
    channel, index = task
    is_volume, has_channels = job.grid.shape[0] > 1, job.n_channels is not None
    write = job.grid.block(index).write
    source = Region(
        (write.start[0], 2 * write.start[1], 2 * write.start[2]),
        (
            write.stop[0],
            min(2 * write.stop[1], job.finer_shape[1]),
            min(2 * write.stop[2], job.finer_shape[2]),
        ),
    )
    finer = Level.open(job.finer, is_volume=is_volume, has_channels=has_channels)
    coarser = Level.open(job.coarser, is_volume=is_volume, has_channels=has_channels, mode="r+")
    coarser.write(write, halve(finer.read(source, channel), job.how), channel)


def halve(pixels: npt.NDArray[np.generic], how: How) -> npt.NDArray[np.generic]:
    """Halve (z, y, x) along y and x: the rounded mean of 2 x 2 pixels, or the upper left one for labels."""
    if how == "nearest":
        return pixels[:, ::2, ::2]
    _, ny, nx = pixels.shape
    even = np.pad(pixels, ((0, 0), (0, ny % 2), (0, nx % 2)), mode="edge").astype(np.uint32)
    total = even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    return ((total + 2) // 4).astype(pixels.dtype)
