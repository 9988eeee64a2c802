"""certify_seams: windows across seams, computed again without cuts; what is written must be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from isthmus.blocks.grid import Grid, Region
from isthmus.certify.compare import CertificateError, WindowResult, compare_windows, read_written
from isthmus.certify.uncut import UncutJob
from isthmus.certify.windows import choose_windows
from isthmus.segment.block import ImportJob
from isthmus.segment.methods import min_area_px
from isthmus.steps.block_records import BlockRecords
from isthmus.steps.job import Job, write_json
from isthmus.steps.quantify_pack import quantify_job
from isthmus.steps.segment_pack import segment_job
from isthmus.steps.sheet import settings_of

_HOW = {
    "basins": "Each window was read with more than the border that the method needs, computed in one piece and compared"
    " pixel by pixel with labels/nuclei and labels/cells; instances were compared by the place of their root.",
    "labels": "The nuclei of each window were compared pixel by pixel with the imported label image; its cells were"
    " grown from that in one piece and compared with labels/cells.",
}
_NO_SEAMS = "The image is one block: there are no seams to look at."
_NOT_COMPARED = "No window was compared: nothing is known of the seams."


def certify_seams(job: Job) -> None:
    """Write seams.json; where pixels differ the evidence goes to the intermediates instead.

    Raises
    ------
    CertificateError
        Pixels differ.
    """
    settings, grid = settings_of(job.plan, job.sample), job.sample.grid
    # Nobody picks it: it follows from what is certified.
    seed = int(job.digest, 16) % 2**32
    seam_ids, seam_blocks = _cells_at_seams(job)
    work = uncut_job(job)
    cells = work.quantify.cells
    windows = choose_windows(
        grid,
        n=settings.execution.certificate_windows,
        seed=seed,
        blocks=seam_blocks,
        holds=lambda window: bool(read_written(cells, window, is_volume=grid.shape[0] > 1).any()),
    )
    results, skipped = compare_windows(work, windows)
    verdict = _verdict(results, grid)
    record = {
        "verdict": verdict,
        "seed": seed,
        "axes": _axes(grid),
        "windows": [_window(result, grid) for result in results],
        "differing_pixels": sum(result.differing_pixels for result in results),
        "cells_at_seams": int(seam_ids.size),
        "skipped": [{"box_px": _box(window.box, grid), "reason": window.reason} for window in skipped],
        "block_px": list(grid.block_px),
        "method": settings.segmentation.method,
        "statement": {"no_seams": _NO_SEAMS, "not_compared": _NOT_COMPARED}.get(
            verdict, _HOW["labels" if isinstance(work.segment, ImportJob) else "basins"]
        ),
    }
    _settle(job, record)


def _verdict(results: Sequence[WindowResult], grid: Grid) -> str:
    """`same`, `different`, `no_seams`; `not_compared` where there are seams and no window could be compared."""
    if any(result.differing_pixels for result in results):
        return "different"
    if grid.n_blocks == 1:
        return "no_seams"
    return "same" if results else "not_compared"


def uncut_job(job: Job) -> UncutJob:
    """What the blocks were computed with. Imported labels know no smallest nucleus."""
    segment, smallest = segment_job(job), 1
    if not isinstance(segment, ImportJob):
        smallest = min_area_px(
            settings_of(job.plan, job.sample).segmentation,
            spacing_um=job.sample.spacing_um,
            is_volume=job.sample.grid.shape[0] > 1,
        )
    return UncutJob(segment, quantify_job(job), smallest)


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
