"""Intensities of cells from exact sums, by channel and compartment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from isthmus.quantify.measure import Measures
from isthmus.quantify.values import MILLI_OF_ALL
from isthmus.tables.complete import Completed
from isthmus.tables.merge import CellSums

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


def intensity_columns(
    sums: CellSums,
    channels: Sequence[str],
    index: pd.Index,
    *,
    completed: Completed | None = None,
    measures: Measures | None = None,
    backgrounds: Sequence[int] | None = None,
    steps_per_unit: float = 1.0,
) -> pd.DataFrame:
    """Columns `<channel>_<measure>_<compartment>`.

    Measures are mean, std (population), min, max and sum in the image's units, of which each is so many steps of the
    stored whole numbers; `integrated`, the sum less the channel's
    background in every pixel, where backgrounds are given; median and p<percentile> where values were looked at.
    Compartments are nucleus, cytoplasm and cell. A compartment without pixels has sum and integrated 0 and no other
    measure.
    """
    columns: dict[str, Float64] = {}
    pixels = sums.shape[:, :, 0]
    counts = np.stack([pixels[:, 0], pixels[:, 1], pixels.sum(axis=1)])
    for place, channel in enumerate(channels):
        totals, extremes = sums.intensity[:, place], sums.extremes[:, place]
        for at, (part, total, extreme) in enumerate(
            (
                ("nucleus", totals[:, 0], extremes[:, 0]),
                ("cytoplasm", totals[:, 1], extremes[:, 1]),
                ("cell", totals.sum(axis=1), _both(extremes)),
            )
        ):
            values = _measures(counts[at], total, extreme)
            if backgrounds is not None:
                values["integrated"] = (total[:, 0] - counts[at] * backgrounds[place]).astype(np.float64)
            if completed is not None and completed.ranks is not None and measures is not None:
                values |= _percentiles(counts[at], completed.ranks[:, place, at], measures)
            columns |= {f"{channel}_{measure}_{part}": column for measure, column in values.items()}
    frame = pd.DataFrame(columns, index=index)
    return frame if steps_per_unit == 1 else frame / steps_per_unit


def _both(extremes: Int64) -> Int64:
    return np.column_stack([extremes[:, :, 0].min(axis=1), extremes[:, :, 1].max(axis=1)])


def _percentiles(n: Int64, ranks: npt.NDArray[np.uint16], measures: Measures) -> dict[str, Float64]:
    """Percentiles as numpy has them: linear between the two values that they lie between."""
    nothing = np.where(n > 0, 0.0, np.nan)
    found = {}
    for place, (percentile, milli) in enumerate(zip(measures.percentiles, measures.milli, strict=True)):
        part = np.maximum(n - 1, 0) * milli % MILLI_OF_ALL / MILLI_OF_ALL
        low, high = (ranks[:, place, side].astype(np.float64) for side in (0, 1))
        found["median" if percentile == 50 else f"p{percentile:g}"] = low + (high - low) * part + nothing
    return found


def _measures(n: Int64, total: Int64, extreme: Int64) -> dict[str, Float64]:
    there = n > 0
    count = np.where(there, n, 1)
    nothing = np.where(there, 0.0, np.nan)
    return {
        "mean": total[:, 0] / count + nothing,
        "std": np.sqrt(exact_variance(count, total[:, 0], total[:, 1])) + nothing,
        "min": extreme[:, 0] + nothing,
        "max": extreme[:, 1] + nothing,
        "sum": total[:, 0].astype(np.float64),
    }


def exact_variance(n: Int64, total: Int64, squares: Int64) -> Float64:
    """Population variance of n (at least 1) values from their sum and the sum of their squares.

    n sum(v^2) - sum(v)^2 would pass 64 bits for large bright cells, so the whole part of the mean is split off first.
    """
    base = total // n
    rest = total - n * base
    centred = squares - 2 * base * total + n * base * base
    variance: Float64 = np.maximum(centred - rest * (rest / n), 0) / n
    return variance
