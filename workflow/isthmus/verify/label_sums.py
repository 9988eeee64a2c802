"""Pixels and centroids of instances straight from a label image, one stored object at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelSums:
    """Of every instance, by increasing id: pixels, and sums of the indices z, y, x of its pixels."""

    ids: Int64
    pixels: Int64
    places: Int64


def sums_of_region(labels: npt.NDArray[np.generic], region: Region) -> LabelSums:
    """Sums of one region; labels (z, y, x), 0 is background.

    Pixels are taken run by run along x, so that memory and time follow the runs.
    """
    _, height, width = labels.shape
    rows = labels.reshape(-1, width).astype(np.int64)
    begins = np.ones(rows.shape, dtype=bool)
    begins[:, 1:] = rows[:, 1:] != rows[:, :-1]
    first = np.flatnonzero(begins)
    length = np.diff(np.append(first, rows.size))
    ids = rows.reshape(-1)[first]
    first, length, ids = first[ids != 0], length[ids != 0], ids[ids != 0]
    row, x = np.divmod(first, width)
    z, y = np.divmod(row, height)
    z, y, x = (at + start for at, start in zip((z, y, x), region.start, strict=True))
    # x, x + 1, ..., x + n - 1 add up to n x + n (n - 1) / 2
    sums = np.column_stack([length, length * z, length * y, length * x + length * (length - 1) // 2])
    return _added(ids, sums)


def add_sums(parts: Iterable[LabelSums]) -> LabelSums:
    """Sums of all parts together."""
    kept = list(parts)
    ids = np.concatenate([np.empty(0, dtype=np.int64), *(part.ids for part in kept)])
    sums = [np.column_stack([part.pixels, part.places]) for part in kept]
    return _added(ids, np.concatenate([np.empty((0, 4), dtype=np.int64), *sums]))


def _added(ids: Int64, sums: Int64) -> LabelSums:
    order = np.argsort(ids, kind="stable")
    known, begin = np.unique(ids[order], return_index=True)
    total = np.add.reduceat(sums[order], begin, axis=0) if known.size else sums[:0]
    return LabelSums(known, total[:, 0], total[:, 1:])
