"""Intensities of cells from exact sums, by channel and compartment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from isthmus.tables.merge import CellSums


def intensity_columns(sums: CellSums, channels: Sequence[str], index: pd.Index) -> pd.DataFrame:
    """Columns `<channel>_<measure>_<compartment>`.

    Measures are mean, std (population), min, max and sum in the image's units; compartments are nucleus, cytoplasm
    and cell. A compartment without pixels has sum 0 and no other measure.
    """
    columns: dict[str, npt.NDArray[np.float64]] = {}
    pixels = sums.shape[:, :, 0]
    for place, channel in enumerate(channels):
        totals, extremes = sums.intensity[:, place], sums.extremes[:, place]
        for part, n, total, extreme in (
            ("nucleus", pixels[:, 0], totals[:, 0], extremes[:, 0]),
            ("cytoplasm", pixels[:, 1], totals[:, 1], extremes[:, 1]),
            ("cell", pixels.sum(axis=1), totals.sum(axis=1), _both(extremes)),
        ):
            for measure, values in _measures(n, total, extreme).items():
                columns[f"{channel}_{measure}_{part}"] = values
    return pd.DataFrame(columns, index=index)


def _both(extremes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.column_stack([extremes[:, :, 0].min(axis=1), extremes[:, :, 1].max(axis=1)])


def _measures(
    n: npt.NDArray[np.int64], total: npt.NDArray[np.int64], extreme: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.float64]]:
    there = n > 0
    count = np.where(there, n, 1)
    mean = total[:, 0] / count
    # From integers: n sum(v^2) - sum(v)^2 would pass 64 bits for large bright cells, so the mean is split off first.
    base = total[:, 0] // count
    rest = total[:, 0] - count * base
    centred = total[:, 1] - 2 * base * total[:, 0] + count * base * base
    variance = np.maximum(centred - rest * (rest / count), 0) / count
    nothing = np.where(there, 0.0, np.nan)
    return {
        "mean": mean + nothing,
        "std": np.sqrt(variance) + nothing,
        "min": extreme[:, 0] + nothing,
        "max": extreme[:, 1] + nothing,
        "sum": total[:, 0].astype(np.float64),
    }
