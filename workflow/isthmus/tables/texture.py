"""Texture of cells from exact sums over pairs of neighbouring pixels, by channel and compartment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from isthmus.quantify.texture import MIXED, PAIR_SUMS
from isthmus.tables.complete import Completed
from isthmus.tables.intensity import exact_variance
from isthmus.tables.merge import CellSums

_AT = {name: place for place, name in enumerate(PAIR_SUMS)}
_SMALLEST_VARIANCE = 1e-15


def texture_columns(
    sums: CellSums, completed: Completed, channels: Sequence[str], index: pd.Index
) -> pd.DataFrame:
    """Columns `<channel>_<measure>_<compartment>`.

    Measures are contrast, dissimilarity and correlation of the grey level co-occurrence matrix of neighbouring pixels
    (DOI 10.1109/TSMC.1973.4309314; see quantify.texture) and entropy of the values, in bits. A compartment without
    pairs has no texture; one of a single value has correlation 1, as in scikit-image.
    """
    pairs, entropy = sums.pairs, completed.entropy
    if pairs is None or entropy is None:
        raise ValueError("texture was not measured")
    pixels = sums.shape[:, :, 0]
    counts = np.stack([pixels[:, 0], pixels[:, 1], pixels.sum(axis=1)])
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for place, channel in enumerate(channels):
        by_class = pairs[:, place]
        for at, part in enumerate(("nucleus", "cytoplasm", "cell")):
            # A cell has all pairs of its compartments, and those between them.
            total = by_class.sum(axis=1) if at == MIXED else by_class[:, at]
            for measure, values in _measures(total).items():
                columns[f"{channel}_{measure}_{part}"] = values
            columns[f"{channel}_entropy_{part}"] = np.where(counts[at] > 0, entropy[:, place, at], np.nan)
    return pd.DataFrame(columns, index=index)


def _measures(total: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float64]]:
    ends = total[:, _AT["n"]]
    n = np.maximum(ends, 1)
    nothing = np.where(ends > 0, 0.0, np.nan)
    contrast = total[:, _AT["squared_differences"]] / (n / 2)
    variance = exact_variance(n, total[:, _AT["sum"]], total[:, _AT["sum_squares"]])
    flat = variance < _SMALLEST_VARIANCE
    # Both orders of a pair count, so its two pixels have one variance, and contrast is 2 variance - 2 covariance.
    correlation = np.where(flat, 1.0, 1 - contrast / (2 * np.where(flat, 1.0, variance)))
    return {
        "contrast": contrast + nothing,
        "dissimilarity": total[:, _AT["differences"]] / (n / 2) + nothing,
        "correlation": correlation + nothing,
    }
