"""The sample's table: one row a cell."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

from isthmus.config.use_cases import Values
from isthmus.image.affine import Affine
from isthmus.quantify.measure import Measures
from isthmus.tables.complete import Completed
from isthmus.tables.counts import CountTables
from isthmus.tables.images import CellImages
from isthmus.tables.intensity import intensity_columns
from isthmus.tables.markers import Compartment, describe_markers, marker_matrix
from isthmus.tables.merge import CellSums
from isthmus.tables.shape import centroid_um, ellipse, ellipsoid, shape_columns
from isthmus.tables.texture import texture_columns


def cell_index(sample: str, sums: CellSums) -> pd.Index:
    """Names `<sample>-<instance_id>` of the rows."""
    return pd.Index([f"{sample}-{i}" for i in sums.ids.tolist()], name="cell", dtype=object)


def _describe(
    sums: CellSums,
    counts: CountTables | None,
    *,
    sample: str,
    affine: Affine,
    z_step_um: float,
    is_volume: bool,
    columns: Mapping[str, str],
) -> pd.DataFrame:
    """The obs of a sample: names, sizes, axes, numbers of transcripts, flags, columns of the sample sheet."""
    whole = sums.shape.sum(axis=1)
    voxel = affine.pixel_area_um2 * (z_step_um if is_volume else 1.0)
    size = "volume_um3" if is_volume else "area_um2"
    obs = pd.DataFrame(
        {"instance_id": sums.ids, "region": "cells", "sample": sample}, index=cell_index(sample, sums)
    )
    obs[size] = whole[:, 0] * voxel
    obs[f"nucleus_{size}"] = sums.shape[:, 0, 0] * voxel
    spacing_yx = affine.pixel_size_um
    axes = ellipsoid(whole, (z_step_um, *spacing_yx)) if is_volume else ellipse(whole, spacing_yx)
    for name, values in axes.items():
        obs[name] = values
    obs["n_counts"] = np.asarray(counts.counts.sum(axis=1)).reshape(-1) if counts else np.int64(0)
    obs["n_counts"] = obs["n_counts"].astype(np.int64)
    if counts:
        obs["n_low_quality"] = counts.n_low_quality
    obs["touches_seam"] = sums.flags[:, 0]
    obs["touches_edge"] = sums.flags[:, 1]
    for name, value in columns.items():
        obs[name] = value
    for name in ("region", "sample", *columns):
        obs[name] = obs[name].astype("category")
    return obs


def make_table(
    sums: CellSums,
    counts: CountTables | None,
    *,
    sample: str,
    channels: Sequence[str],
    affine: Affine,
    z_step_um: float,
    is_volume: bool,
    columns: Mapping[str, str],
    record: Mapping[str, Any],
    completed: Completed | None = None,
    measures: Measures | None = None,
    backgrounds: Sequence[int] | None = None,
    steps_per_unit: float = 1.0,
    values: Values = "counts",
    compartment: Compartment = "cell",
    roles: Mapping[str, str] | None = None,
    images: CellImages | None = None,
) -> AnnData:
    """Assemble the AnnData of one sample.

    Parameters
    ----------
    sums, counts
        What was measured in each cell; counts is None without transcripts.
    channels
        Names of the measured channels.
    columns
        Columns of the sample sheet to repeat in every row (batch, condition, accessions).
    record
        What goes to `uns['isthmus']`.
    completed, measures
        Measures that do not add up, and which they are.
    backgrounds
        Background of each measured channel.
    steps_per_unit
        Steps of the stored whole numbers that make a unit of the image's pixels.
    values
        What X holds where there are no counts: `intensities` are means of the channels in the compartment, all else is
        every measure of every channel.
    compartment, roles
        Of the intensities: where they lie, and the role of each channel in the panel.
    images
        Of a sample that has many: their columns, and where each lies.
    """
    obs = _describe(
        sums,
        counts,
        sample=sample,
        affine=affine,
        z_step_um=z_step_um,
        is_volume=is_volume,
        columns=columns,
    )
    if images is not None:
        images.add_columns(obs, sums.ids)
    index = obs.index
    intensity = intensity_columns(
        sums,
        channels,
        index,
        completed=completed,
        measures=measures,
        backgrounds=backgrounds,
        steps_per_unit=steps_per_unit,
    )
    if values == "intensities" and counts is None:
        matrix, var = marker_matrix(intensity, channels, compartment), describe_markers(channels, roles or {})
    else:
        genes = counts.genes if counts else list(intensity.columns)
        matrix = counts.counts if counts else csr_matrix(np.nan_to_num(intensity.to_numpy(np.float64)))
        var = pd.DataFrame(index=pd.Index(genes, dtype=object))
    table = AnnData(X=matrix, obs=obs, var=var)
    whole = sums.shape.sum(axis=1)
    table.obsm["spatial"] = centroid_um(whole, affine, z_step_um, is_volume=is_volume)
    if images is not None:
        for image, part in images.stretches(sums.ids):
            place = images.affines[image]
            table.obsm["spatial"][part] = centroid_um(whole[part], place, z_step_um, is_volume=is_volume)
    table.obsm["intensity"] = intensity
    table.obsm["shape"] = shape_columns(
        sums, completed, index, affine=affine, z_step_um=z_step_um, is_volume=is_volume
    )
    if completed is not None and measures is not None and measures.texture:
        table.obsm["texture"] = texture_columns(sums, completed, channels, index)
    if counts:
        table.layers["counts"] = matrix.copy()
        table.layers["nucleus_counts"] = counts.nucleus_counts
        table.obsm["controls"] = counts.controls
    table.uns["isthmus"] = dict(record)
    return table


def write_table(table: AnnData, path: Path) -> None:
    """Write a table, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"partial.{os.getpid()}.{path.name}")
    table.write_h5ad(temporary, compression="gzip")
    temporary.replace(path)
