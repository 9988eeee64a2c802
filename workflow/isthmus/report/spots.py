"""The map of spots: a disc for each in the colour of its cluster, where it lies on the picture."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem

from isthmus.image.pyramid import level_factors
from isthmus.report import pixels
from isthmus.report.colours import FAILED_COLOUR
from isthmus.report.gather import SampleResults
from isthmus.report.pictures import Bar, Picture
from isthmus.report.text import length, nice_length


def draw_spots(
    sample: SampleResults, colour_of_spot: pd.Series[int], colours: Sequence[str], *, max_px: int
) -> Picture | None:
    """Every spot painted; None where there is no table of spots. Spots that did not pass are pale.

    Parameters
    ----------
    colour_of_spot
        Index: instance_id; values: position in `colours`.
    """
    if not sample.paths.spots.is_file() or sample.n_levels == 0:
        return None
    with h5py.File(sample.paths.spots, mode="r") as file:
        obs, places_um = read_elem(file["obs"]), read_elem(file["obsm/spatial"])
    level = pixels.level_for(sample, max_px)
    _, height, width = pixels.coarse_region(sample, level).shape
    um_per_px = sample.plan.spacing_um[2] * level_factors(sample.plan.window.shape)[level][2]
    column, row = sample.plan.window_affine.to_px(places_um[:, 0], places_um[:, 1])
    factor = level_factors(sample.plan.window.shape)[level][2]
    radius = max(1.0, float(np.sqrt(obs["area_um2"].iloc[0] / np.pi)) / um_per_px)
    painted = np.zeros((height, width), dtype=np.uint8)
    numbers = colour_of_spot.reindex(obs["instance_id"].to_numpy()).to_numpy(dtype=float)
    for x, y, number in zip(column / factor, row / factor, numbers, strict=True):
        top, left = max(0, int(y - radius)), max(0, int(x - radius))
        part = painted[top : int(y + radius) + 2, left : int(x + radius) + 2]
        dy, dx = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        part[(dy + 0.5 - y) ** 2 + (dx + 0.5 - x) ** 2 <= radius**2] = (
            1 if np.isnan(number) else 2 + int(number)
        )
    um = nice_length(0.3 * width * um_per_px)
    return Picture(
        width=width,
        height=height,
        image=pixels.painted(painted, [FAILED_COLOUR, *colours]),
        nuclei="",
        cells="",
        is_vector=False,
        bar=Bar(um / um_per_px, length(um)),
        title=f"Map of {sample.name}",
        place="",
    )
