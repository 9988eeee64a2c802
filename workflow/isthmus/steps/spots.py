"""What the picture shows under each spot, and the table of spots; part of build_table."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt
from anndata import AnnData

from isthmus.blocks.grid import Region
from isthmus.image.ome_zarr import Level
from isthmus.image.source import SpotsPart, SpotTable
from isthmus.image.stains import STEPS
from isthmus.segment.tone import tone_table, two_classes
from isthmus.steps.job import Job
from isthmus.tables.spots import make_spots

STAINS = ("hematoxylin", "eosin", "density")


def spots_of(
    job: Job,
    part: SpotsPart,
    spots: SpotTable,
    nuclei: AnnData,
    columns: Mapping[str, str],
    record: Mapping[str, Any],
) -> AnnData:
    """The table of a sample's spots in use, with the nuclei that were found."""
    has_nucleus = nuclei.obs["nucleus_area_um2"].to_numpy() > 0
    return make_spots(
        spots,
        sample=job.sample_name,
        diameter_um=part.diameter_um,
        nuclei_um=np.asarray(nuclei.obsm["spatial"])[has_nucleus],
        features=under_spots(job, spots, part.diameter_um),
        columns=columns,
        record=record,
    )


def under_spots(job: Job, spots: SpotTable, diameter_um: float) -> dict[str, npt.NDArray[np.float64]]:
    """Means over the pixels whose centres lie in a spot's disc; NaN for a spot outside the picture.

    `hematoxylin`, `eosin` and `density` in units of optical density; `tissue_fraction`, the share of pixels above
    Otsu's threshold of the logarithm of the density of the whole picture; `nuclei_fraction`, the share in nuclei.
    """
    plan, paths = job.sample, job.sample_paths
    image = Level.open(paths.image / "0", is_volume=False, has_channels=True)
    labels = Level.open(paths.labels / "nuclei" / "0", is_volume=False, has_channels=False)
    channels = [plan.channels.index(name) for name in STAINS]
    with np.load(paths.histograms) as stored:
        histogram = stored["histograms"][channels[-1]]
    values = np.flatnonzero(histogram)
    # On a logarithmic scale: glass and tissue differ by a factor, tissue and nuclei by less.
    tones = tone_table(0, STEPS // 20)
    dark, bright = two_classes(tones[values].tolist(), histogram[values].tolist()) or (65535, 65535)
    _, ny, nx = plan.grid.shape
    y_um, x_um = plan.window_affine.pixel_size_um
    columns, rows = plan.window_affine.to_px(spots.x_um, spots.y_um)
    names = (*STAINS, "tissue_fraction", "nuclei_fraction")
    made = {name: np.full(len(columns), np.nan) for name in names}
    reach_y, reach_x = diameter_um / 2 / y_um, diameter_um / 2 / x_um
    for k, (column, row) in enumerate(zip(columns.tolist(), rows.tolist(), strict=True)):
        top, bottom = max(0, floor(row - reach_y)), min(ny, ceil(row + reach_y))
        left, right = max(0, floor(column - reach_x)), min(nx, ceil(column + reach_x))
        if top >= bottom or left >= right:
            continue
        y, x = np.ogrid[top:bottom, left:right]
        disc = ((y + 0.5 - row) / reach_y) ** 2 + ((x + 0.5 - column) / reach_x) ** 2 <= 1
        if not disc.any():
            continue
        region = Region((0, top, left), (1, bottom, right))
        for name, channel in zip(STAINS, channels, strict=True):
            pixels = image.read(region, channel)[0][disc].astype(np.int64)
            made[name][k] = int(pixels.sum()) / pixels.size / STEPS
        made["tissue_fraction"][k] = (
            np.count_nonzero(2 * tones[pixels].astype(np.int64) > dark + bright) / pixels.size
        )
        made["nuclei_fraction"][k] = np.count_nonzero(labels.read(region)[0][disc]) / pixels.size
    return made
