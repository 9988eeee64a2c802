"""Written label images beside windows computed without cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region
from isthmus.blocks.lookup import read_given, read_roots
from isthmus.certify.uncut import Reason, TooLargeError, UncutJob, uncut_window
from isthmus.image.ome_zarr import Level
from isthmus.segment.block import ImportJob

Int64 = npt.NDArray[np.int64]

_UNKNOWN = -1


class CertificateError(Exception):
    """Written labels are not what the image gives without cuts."""


@dataclass(frozen=True)
class WindowResult:
    """One window: its box, the cells in it, and how many pixels differ in the nuclei, in the cells, in either."""

    box: Region
    n_cells: int
    differing_nuclei: int
    differing_cells: int
    differing_pixels: int


@dataclass(frozen=True)
class SkippedWindow:
    """A window that was not compared, and why."""

    box: Region
    reason: Reason


def read_written(labels: Path, window: Region, *, is_volume: bool) -> Int64:
    """Written ids (z, y, x) of a window of a label image."""
    return Level.open(labels, is_volume=is_volume, has_channels=False).read(window).astype(np.int64)


def compare_windows(
    job: UncutJob, windows: Sequence[Region]
) -> tuple[list[WindowResult], list[SkippedWindow]]:
    """Compute each window without cuts and compare; also the windows that are too large for that."""
    results: list[WindowResult] = []
    skipped: list[SkippedWindow] = []
    for window in windows:
        try:
            results.append(_compare(job, window))
        except TooLargeError as error:
            skipped.append(SkippedWindow(window, error.reason))
    return results, skipped


def _compare(job: UncutJob, window: Region) -> WindowResult:
    labels = (job.quantify.nuclei, job.quantify.cells)
    written = [read_written(path, window, is_volume=job.shape[0] > 1) for path in labels]
    nuclei, cells = (
        _identities(job, ids) != uncut for ids, uncut in zip(written, uncut_window(job, window), strict=True)
    )
    return WindowResult(
        box=window,
        n_cells=int(np.unique(written[1][written[1] > 0]).size),
        differing_nuclei=int(nuclei.sum()),
        differing_cells=int(cells.sum()),
        differing_pixels=int((nuclei | cells).sum()),
    )


def _identities(job: UncutJob, ids: Int64) -> Int64:
    """Written ids as identities (see `isthmus.certify.uncut`); an id that no instance has is unknown."""
    if isinstance(job.segment, ImportJob):
        given = read_given(job.quantify.lookup)
        if given is None:
            return ids
        roots = given - 1
    else:
        roots = read_roots(job.quantify.lookup) - job.first_pixel
    present, where = np.unique(ids, return_inverse=True)
    made = np.full(present.size, _UNKNOWN, dtype=np.int64)
    known = (present > 0) & (present <= roots.size)
    made[known] = roots[present[known] - 1] + 1
    made[present == 0] = 0
    return made[where].reshape(ids.shape)
