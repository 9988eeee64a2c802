"""What the block scheme must equal: slow, plain Python on the whole image, written from the definition alone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Grid, Triple
from isthmus.segment.forest import grow_forest, margin_px
from isthmus.segment.record import BlockRecord, make_record
from isthmus.segment.stitch import stitch

Pixel = tuple[int, int, int]
Radius = tuple[float, float, float]


def oracle_labels(
    landscape: npt.NDArray[np.generic], *, radius_px: Radius, min_area_px: int = 1
) -> npt.NDArray[np.int64]:
    """Final ids of the whole image (z, y, x): every pixel's pointers are followed one by one."""
    values = {p: int(landscape[p]) for p in np.ndindex(*landscape.shape) if landscape[p] > 0}
    is_volume = landscape.shape[0] > 1
    near = list(product((-1, 0, 1) if is_volume else (0,), (-1, 0, 1), (-1, 0, 1)))
    ball = _ball(radius_px, is_volume)

    def highest(at: Pixel, steps: Sequence[Pixel]) -> Pixel:
        around = [(at[0] + dz, at[1] + dy, at[2] + dx) for dz, dy, dx in steps]
        return max((p for p in around if p in values), key=lambda p: (values[p], p))

    root_of: dict[Pixel, Pixel] = {}
    for pixel in values:
        at = pixel
        while True:
            further = highest(at, near)
            if further == at:
                further = highest(at, ball)
            if further == at:
                break
            at = further
        root_of[pixel] = at
    area: dict[Pixel, int] = {}
    for root in root_of.values():
        area[root] = area.get(root, 0) + 1
    kept = sorted(root for root, n in area.items() if n >= min_area_px)
    number = {root: rank for rank, root in enumerate(kept, start=1)}
    labels = np.zeros(landscape.shape, dtype=np.int64)
    for pixel, root in root_of.items():
        labels[pixel] = number.get(root, 0)
    return labels


def _ball(radius_px: Radius, is_volume: bool) -> list[Pixel]:
    exact = [Fraction(r) for r in radius_px]
    ranges = [range(-floor(r), floor(r) + 1) for r in radius_px]
    if not is_volume:
        ranges[0] = range(1)
    return [
        step
        for step in product(*ranges)
        if sum((s / r) ** 2 for s, r in zip(step, exact, strict=True) if s) <= 1
    ]


def cut_records(
    landscape: npt.NDArray[np.generic],
    block_px: Triple,
    *,
    radius_px: Radius,
    halo_px: Triple | None = None,
    ring_px: Triple | None = None,
) -> tuple[Grid, dict[int, npt.NDArray[np.int32]], dict[int, BlockRecord]]:
    """Local labels and record of every block of a landscape, cut so."""
    grid = Grid(landscape.shape, block_px)  # type: ignore[arg-type]
    margin = margin_px(grid.shape[0] > 1, radius_px)
    halo, ring = halo_px or margin, ring_px or margin
    labels, records = {}, {}
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        read = write.grown(halo, grid.shape)
        local, roots, exits = grow_forest(
            landscape[read.slices], read=read, write=write, image_shape=grid.shape, merge_radius_px=radius_px
        )
        labels[index] = local
        records[index] = make_record(local, roots, exits, ring_px=ring)
    return grid, labels, records


def cut_labels(
    landscape: npt.NDArray[np.generic],
    block_px: Triple,
    *,
    radius_px: Radius,
    min_area_px: int = 1,
    halo_px: Triple | None = None,
    ring_px: Triple | None = None,
) -> npt.NDArray[np.int64]:
    """Final ids of the whole image by the block scheme."""
    grid, labels, records = cut_records(
        landscape, block_px, radius_px=radius_px, halo_px=halo_px, ring_px=ring_px
    )
    # Records in any order must do: packs end when they end.
    backwards = {index: records[index] for index in reversed(records)}
    lookup = stitch(backwards, grid, min_area_px=min_area_px)
    final = np.zeros(grid.shape, dtype=np.int64)
    for index, local in labels.items():
        table = np.concatenate([[0], lookup.ids[lookup.offsets[index] : lookup.offsets[index + 1]]])
        final[grid.block(index).write.slices] = table[local]
    return final
