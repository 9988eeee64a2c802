"""How far two label images agree: objects that are not the same, and F1 at an overlap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.integer]
Int64 = npt.NDArray[np.int64]


def overlaps(one: Labels, other: Labels) -> tuple[Int64, Int64, Int64, Int64, Int64]:
    """Pairs of objects that share pixels.

    Returns
    -------
    one's and the other's object of each pair (numbers from 0 in the order of their ids), pixels that they share, and
    the areas of all objects of one and of the other.
    """
    if one.shape != other.shape:
        raise ValueError(f"label images of different shapes: {one.shape} and {other.shape}")
    first, a = np.unique(one.reshape(-1), return_inverse=True)
    second, b = np.unique(other.reshape(-1), return_inverse=True)
    area_a, area_b = np.bincount(a, minlength=first.size), np.bincount(b, minlength=second.size)
    keys, shared = np.unique(a.astype(np.int64) * second.size + b, return_counts=True)
    a, b = keys // second.size, keys % second.size
    has_zero_a, has_zero_b = int(first.size > 0 and first[0] == 0), int(second.size > 0 and second[0] == 0)
    real = (a >= has_zero_a) & (b >= has_zero_b)
    return (
        a[real] - has_zero_a,
        b[real] - has_zero_b,
        shared[real],
        area_a[has_zero_a:].astype(np.int64),
        area_b[has_zero_b:].astype(np.int64),
    )


def wrong_objects(found: Labels, oracle: Labels) -> int:
    """Objects of the oracle that are not found with exactly their pixels."""
    a, b, shared, area_found, area_oracle = overlaps(found, oracle)
    same = (shared == area_found[a]) & (shared == area_oracle[b])
    return int(area_oracle.size - np.count_nonzero(same))


def f1_score(found: Labels, truth: Labels, *, overlap: float = 0.5) -> float:
    """F1 of objects, matched where intersection over union exceeds `overlap` (at least 0.5, so matches are unique)."""
    if overlap < 0.5:
        raise ValueError(f"below 0.5 an object may match two: {overlap}")
    a, b, shared, area_found, area_truth = overlaps(found, truth)
    union = area_found[a] + area_truth[b] - shared
    hits = int(np.count_nonzero(shared > overlap * union))
    total = area_found.size + area_truth.size
    return 2 * hits / total if total else 1.0


def matched(found: Labels, truth: Labels, *, overlap: float = 0.5) -> tuple[int, int, int]:
    """Matches, objects found, true objects: to be added up over images."""
    a, b, shared, area_found, area_truth = overlaps(found, truth)
    union = area_found[a] + area_truth[b] - shared
    return int(np.count_nonzero(shared > overlap * union)), area_found.size, area_truth.size


def drop_small(labels: Labels, min_area_px: int) -> Labels:
    """Labels without objects of fewer pixels."""
    ids, place, area = np.unique(labels, return_inverse=True, return_counts=True)
    kept = np.where(area >= min_area_px, ids, 0)
    made: Labels = kept[place].reshape(labels.shape)
    return made
