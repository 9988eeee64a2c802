"""Two label images of one image: which instances overlap, by how much, and which are the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

SAME = 0.5
"""Overlap (intersection over union) above which two instances are the same: none can have two partners."""


@dataclass(frozen=True)
class Overlaps:
    """Pixels that instances share, and pixels of each instance.

    ids_a, ids_b
        Ids in either image, increasing.
    area_a, area_b
        Their pixels.
    pair_a, pair_b, shared
        Ids of the instances that overlap, and the pixels that they share.
    """

    ids_a: Int64
    area_a: Int64
    ids_b: Int64
    area_b: Int64
    pair_a: Int64
    pair_b: Int64
    shared: Int64

    def iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union of each pair."""
        both = (
            self.area_a[np.searchsorted(self.ids_a, self.pair_a)]
            + self.area_b[np.searchsorted(self.ids_b, self.pair_b)]
        )
        ratio: npt.NDArray[np.float64] = self.shared / (both - self.shared)
        return ratio

    def matches(self) -> tuple[Int64, Int64, npt.NDArray[np.float64]]:
        """Ids of the instances that are the same, and their intersection over union."""
        iou = self.iou()
        same = iou > SAME
        return self.pair_a[same], self.pair_b[same], iou[same]

    def f1(self) -> float | None:
        """Twice the matches over all instances of both; None where there are none."""
        total = self.ids_a.size + self.ids_b.size
        return 2 * self.matches()[0].size / total if total else None


def add_overlaps(parts: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]]) -> Overlaps:
    """Overlaps of two label images that come piece by piece, the same pieces of both; memory grows with instances."""
    pairs: list[Int64] = [np.empty((0, 3), dtype=np.int64)]
    for one, other in parts:
        both = np.stack([one.reshape(-1), other.reshape(-1)], axis=1).astype(np.int64)
        both = both[both.any(axis=1)]
        found, counts = np.unique(both, axis=0, return_counts=True)
        pairs.append(np.column_stack([found, counts]))
    found, place = np.unique(np.concatenate(pairs)[:, :2], axis=0, return_inverse=True)
    shared = np.zeros(found.shape[0], dtype=np.int64)
    np.add.at(shared, place.reshape(-1), np.concatenate(pairs)[:, 2])
    ids_a, area_a = _areas(found[:, 0], shared)
    ids_b, area_b = _areas(found[:, 1], shared)
    overlap = (found > 0).all(axis=1)
    return Overlaps(ids_a, area_a, ids_b, area_b, found[overlap, 0], found[overlap, 1], shared[overlap])


def _areas(side: Int64, shared: Int64) -> tuple[Int64, Int64]:
    """Ids of one image and their pixels."""
    there = side > 0
    ids, at = np.unique(side[there], return_inverse=True)
    area = np.zeros(ids.size, dtype=np.int64)
    np.add.at(area, at, shared[there])
    return ids, area
