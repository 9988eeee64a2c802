"""Make the plan: a pure function of image headers, configuration and machine, and of the plan there was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, prod
from typing import Any

import numpy as np

from isthmus import __version__
from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.errors import UserError
from isthmus.image.source import ImageHeader
from isthmus.plan.cost import default_packs, predict
from isthmus.plan.digests import cohort_digests, sample_digests
from isthmus.plan.machine import Machine
from isthmus.plan.model import RunPlan, SamplePlan

_VOLUME_BLOCK_Z = 64
_MOST_BLOCK_PIXELS = 1 << 28
"""Indices within a block and its margin are 32 bits wide; this leaves room for a margin of seven times as many."""
_DESCRIBING = ("batch", "condition", "image_accession", "omics_accession", "biosample", "extra")


@dataclass(frozen=True)
class SampleInput:
    """What the head knows of a sample from its row and its files' headers.

    sheet is the row as JSON, inputs the digest of each kind of files (`image`, `transcripts`, `labels`).
    """

    sheet: Mapping[str, Any]
    where: str
    header: ImageHeader
    inputs: Mapping[str, str]
    reader: str
    notes: tuple[str, ...] = ()
    tested_on_real_files: bool = True
    n_vendor_cells: int | None = None


def make_plan(
    settings: Mapping[str, Any],
    samples: Mapping[str, SampleInput],
    *,
    reference: str | None,
    machine: Machine,
    previous: RunPlan | None = None,
) -> RunPlan:
    """Plan a run.

    Parameters
    ----------
    settings
        The configuration as JSON.
    samples
        By name.
    reference
        Digest of the annotation's reference, if there is one.
    machine
        What it will run on; it changes packs and predictions only.
    previous
        The plan of an earlier run in the same folder. Its packs are kept where nothing asks for others.
    """
    planned = {
        name: _plan_sample(settings, sample, machine, (previous.samples if previous else {}).get(name))
        for name, sample in samples.items()
    }
    cohort = cohort_digests(
        settings,
        samples={name: sample.digests for name, sample in planned.items()},
        inputs={"reference": reference} if reference else {},
    )
    return RunPlan(
        isthmus=__version__,
        settings=dict(settings),
        samples=planned,
        cohort=cohort,
        rules=predict(planned, machine),
    )


def _plan_sample(
    settings: Mapping[str, Any], sample: SampleInput, machine: Machine, previous: SamplePlan | None
) -> SamplePlan:
    header = sample.header
    window = window_of(header, settings["image"]["region_um"], where=sample.where)
    block_px = block_shape(settings["execution"]["block_px"], window.shape)
    _check_block(block_px, window.shape)
    grid = Grid(window.shape, block_px)
    digests = sample_digests(
        settings,
        inputs=sample.inputs,
        geometry={
            "window": [window.start, window.stop],
            "affine": header.affine.numbers(),
            "z_step_um": header.z_step_um,
            "spacing_um": (header.z_step_um, *header.affine.pixel_size_um),
            "channels": header.channels,
            "block_px": block_px,
        },
        sheet={key: sample.sheet.get(key) for key in _DESCRIBING},
    )
    packs = settings["execution"]["packs"]
    if packs is None:
        kept = previous is not None and previous.digests["segment_pack"] == digests["segment_pack"]
        packs = previous.packs if kept and previous else default_packs(window.size, grid.n_blocks, machine)
    return SamplePlan(
        sheet=dict(sample.sheet),
        reader=sample.reader,
        notes=sample.notes,
        tested_on_real_files=sample.tested_on_real_files,
        shape=header.shape,
        dtype=header.dtype,
        channels=header.channels,
        affine=header.affine.numbers(),
        z_step_um=header.z_step_um,
        window_start=window.start,
        window_stop=window.stop,
        grid=grid,
        packs=min(packs, grid.n_blocks),
        has_points="transcripts" in sample.inputs,
        n_vendor_cells=sample.n_vendor_cells,
        digests=digests,
    )


def block_shape(block_px: int | list[int] | tuple[int, ...], shape: Triple) -> Triple:
    """The block (z, y, x) that `execution.block_px` asks for; a plane has z = 1."""
    if isinstance(block_px, int):
        return (1 if shape[0] == 1 else _VOLUME_BLOCK_Z, block_px, block_px)
    z, y, x = block_px
    return (1 if shape[0] == 1 else z, y, x)


def _check_block(block_px: Triple, shape: Triple) -> None:
    """A block, cut at the image edge, must not have more pixels than its indices can count."""
    cut = tuple(min(block, size) for block, size in zip(block_px, shape, strict=True))
    if prod(cut) > _MOST_BLOCK_PIXELS:
        raise UserError(
            where="execution.block_px",
            found=f"a block of {' x '.join(map(str, cut))} pixels (z, y, x) is too large",
            do=f"choose blocks of at most {_MOST_BLOCK_PIXELS} pixels, such as 1 x 16384 x 16384 or 64 x 2048 x 2048",
        )


def window_of(
    header: ImageHeader, region_um: list[float] | tuple[float, ...] | None, *, where: str
) -> Region:
    """The pixels that `image.region_um` (x0, y0, x1, y1) touches; all of them where it is not given."""
    _, nz, ny, nx = header.shape
    if region_um is None:
        return Region((0, 0, 0), (nz, ny, nx))
    x0, y0, x1, y1 = region_um
    column, row = header.affine.to_px(np.array([x0, x1, x0, x1]), np.array([y0, y0, y1, y1]))
    left, right = max(0, floor(column.min() + 1e-6)), min(nx, ceil(column.max() - 1e-6))
    top, bottom = max(0, floor(row.min() + 1e-6)), min(ny, ceil(row.max() - 1e-6))
    if left >= right or top >= bottom:
        corners_x, corners_y = header.affine.to_um(np.array([0.0, nx]), np.array([0.0, ny]))
        raise UserError(
            where="image.region_um",
            found=f"[{x0:g}, {y0:g}, {x1:g}, {y1:g}] does not touch the image of {where}, which covers "
            f"x {corners_x.min():g} to {corners_x.max():g} and y {corners_y.min():g} to {corners_y.max():g} um",
            do="choose a window inside the image",
        )
    return Region((0, top, left), (nz, bottom, right))
