"""certify_seams: windows across seams, computed again without cuts; what is written must be the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from isthmus.blocks.grid import Grid, Region
from isthmus.blocks.stack import Stack, stack_of
from isthmus.certify.compare import (
    CertificateError,
    SkippedWindow,
    WindowResult,
    compare_windows,
    read_written,
)
from isthmus.certify.uncut import UncutJob
from isthmus.certify.windows import choose_windows
from isthmus.plan.model import SamplePlan
from isthmus.segment.block import ImportJob, SegmentJob
from isthmus.segment.methods import min_area_px
from isthmus.steps.block_records import BlockRecords
from isthmus.steps.job import Job, write_json
from isthmus.steps.quantify_pack import many_quantify_job, quantify_job
from isthmus.steps.segment_pack import many_segment_job, segment_job
from isthmus.steps.sheet import settings_of

_HOW = {
    "basins": "Each window was read with more than the border that the method needs, computed in one piece and compared"
    " pixel by pixel with labels/nuclei and labels/cells; instances were compared by the place of their root.",
    "labels": "The nuclei of each window were compared pixel by pixel with the imported label image; its cells were"
    " grown from that in one piece and compared with labels/cells.",
}
_NO_SEAMS = "The image is one block: there are no seams to look at."
_NO_SEAMS_IN_MANY = "Every image is one block: there are no seams to look at."
_NOT_COMPARED = "No window was compared: nothing is known of the seams."


def certify_seams(job: Job) -> None:
    """Write seams.json; where pixels differ the evidence goes to the intermediates instead.

    Raises
    ------
    CertificateError
        Pixels differ.
    """
    settings, sample = settings_of(job.plan, job.sample), job.sample
    grid = sample.grid
    # Nobody picks it: it follows from what is certified.
    seed = int(job.digest, 16) % 2**32
    seam_ids, seam_blocks = _cells_at_seams(job)
    found: list[_Compared] = []
    for image, n, blocks in _looked_at(sample, seed, seam_blocks, settings.execution.certificate_windows):
        found.append(_compare(job, image, n, seed, blocks))
    results = [result for one in found for result in one.results]
    verdict = _verdict(results, sample.stack)
    record = {
        "verdict": verdict,
        "seed": seed,
        "axes": _axes(grid),
        "windows": [_window(result, grid) | one.name for one in found for result in one.results],
        "differing_pixels": sum(result.differing_pixels for result in results),
        "cells_at_seams": int(seam_ids.size),
        "skipped": [
            {"box_px": _box(window.box, grid), "reason": window.reason} | one.name
            for one in found
            for window in one.skipped
        ],
        "block_px": list(grid.block_px),
        "method": settings.segmentation.method,
        "statement": {
            "no_seams": _NO_SEAMS_IN_MANY if sample.images else _NO_SEAMS,
            "not_compared": _NOT_COMPARED,
        }.get(verdict, _HOW["labels" if settings.segmentation.method == "labels" else "basins"]),
    }
    _settle(job, record)


@dataclass(frozen=True)
class _Compared:
    """What came of the windows of one image; `name` is its entry in the record, for a sample of many images."""

    name: dict[str, str]
    results: list[WindowResult]
    skipped: list[SkippedWindow]


def _looked_at(
    sample: SamplePlan, seed: int, seam_blocks: list[int], n: int
) -> Iterator[tuple[int, int, list[int]]]:
    """(image, how many windows, its blocks with cells at seams): of many images, some that have seams, at random."""
    if not sample.images:
        yield 0, n, seam_blocks
        return
    stack = sample.stack
    of_image: dict[int, list[int]] = {}
    for block in seam_blocks:
        place = stack.locate(block)
        of_image.setdefault(place.image, []).append(place.index)
    seamed = sorted(of_image) or [k for k in range(stack.n_images) if stack.grid(k).n_blocks > 1]
    chosen = sorted(Random(seed).sample(seamed, min(n, len(seamed))))
    for number, image in enumerate(chosen):
        share = n * (number + 1) // len(chosen) - n * number // len(chosen)
        yield image, share, of_image.get(image, [])


def _compare(job: Job, image: int, n: int, seed: int, blocks: list[int]) -> _Compared:
    """Draw windows in one image, compute them without cuts and compare."""
    work = uncut_job(job, image)
    cells, grid = work.quantify.cells, work.quantify.grid
    windows = choose_windows(
        grid,
        n=n,
        seed=seed + image,
        blocks=blocks,
        holds=lambda window: bool(read_written(cells, window, is_volume=grid.shape[0] > 1).any()),
    )
    results, skipped = compare_windows(work, windows)
    name = {"image": job.sample.images[image].name} if job.sample.images else {}
    return _Compared(name, results, skipped)


def _verdict(results: Sequence[WindowResult], blocks: Grid | Stack) -> str:
    """`same`, `different`, `no_seams`; `not_compared` where there are seams and no window could be compared."""
    if any(result.differing_pixels for result in results):
        return "different"
    stack = stack_of(blocks)
    if stack.n_blocks == stack.n_images:
        return "no_seams"
    return "same" if results else "not_compared"


def uncut_job(job: Job, image: int = 0) -> UncutJob:
    """What the blocks of an image were computed with. Imported labels know no smallest nucleus."""
    sample = job.sample
    if sample.images:
        segment: SegmentJob | ImportJob = many_segment_job(job).of(image)
        quantify = many_quantify_job(job).of(image)
    else:
        segment, quantify = segment_job(job), quantify_job(job)
    smallest = 1
    if not isinstance(segment, ImportJob):
        smallest = min_area_px(
            settings_of(job.plan, sample).segmentation,
            spacing_um=sample.spacing_um,
            is_volume=sample.grid.shape[0] > 1,
        )
    return UncutJob(segment, quantify, smallest, sample.stack.first_pixel(image))


def _settle(job: Job, record: Mapping[str, Any]) -> None:
    paths = job.sample_paths
    if not record["differing_pixels"]:
        write_json(paths.seams, record)
        paths.failed_seams.unlink(missing_ok=True)
        return
    write_json(paths.failed_seams, record)
    worst = next(window for window in record["windows"] if window["differing_pixels"])
    raise CertificateError(
        f"{job.sample_name}: {record['differing_pixels']} pixels at seams are not what the image gives without"
        f" cuts, first in the window {worst['box_px']} ({record['axes']}, from and to); the label images must not"
        f" be used; the evidence is in {paths.failed_seams.relative_to(job.paths.root)}"
    )


def _cells_at_seams(job: Job) -> tuple[np.typing.NDArray[np.int64], list[int]]:
    """Ids of the cells that touch a seam, and the blocks that they touch it in."""
    found, blocks = [np.empty(0, dtype=np.int64)], []
    for block, record in enumerate(BlockRecords(job)):
        at_seam = record["ids"][record["flags"][:, 0]]
        if at_seam.size:
            found.append(at_seam)
            blocks.append(block)
    return np.unique(np.concatenate(found)), blocks


def _window(result: WindowResult, grid: Grid) -> dict[str, Any]:
    return {
        "box_px": _box(result.box, grid),
        "differing_pixels": result.differing_pixels,
        "differing_nuclei_pixels": result.differing_nuclei,
        "differing_cells_pixels": result.differing_cells,
        "cells": result.n_cells,
    }


def _box(box: Region, grid: Grid) -> list[int]:
    """First and past-the-last pixel along the label image's axes: y0, x0, y1, x1 of a plane."""
    first = 0 if grid.shape[0] > 1 else 1
    return [*box.start[first:], *box.stop[first:]]


def _axes(grid: Grid) -> str:
    return "zyx" if grid.shape[0] > 1 else "yx"
