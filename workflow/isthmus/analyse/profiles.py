"""Profiles of wells: what its cells are like, beside the controls of the plate.

Of every feature the median over a well's cells that passed quality control; effects of rows and columns taken out; then
the distance from the median of the control wells in units of their spread (median absolute deviation, scaled as that of
a normal distribution). Robust throughout: a few odd cells or wells move nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from isthmus.analyse.plate_effects import can_be_found, find_effects
from isthmus.analyse.plate_map import controls_of, read_plate_map
from isthmus.errors import UserError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COUNT = "n_cells"
"""The number of cells, a feature as any other."""
_MAD = 1.4826  # of a normal distribution of standard deviation 1, inverted
_LEAST_CONTROLS = 3
_PLACE = re.compile(r"^(centroid|orientation)_|_px_")
"""Measures that say where a cell lies, not what it is like."""


@dataclass(frozen=True)
class ProfileOptions:
    """See `isthmus.config.profiles.ProfilesOptions`."""

    plate_map: Path | None = None
    controls: str | None = None
    plate_effects: str = "median_polish"


def profile_wells(cells: AnnData, wells: pd.DataFrame, *, sample: str, options: ProfileOptions) -> AnnData:
    """The wells of a plate (wells x features).

    Parameters
    ----------
    cells
        The cells of the sample, with `obs` columns `well` and `qc_pass`, and `obsm` `intensity` and `shape`.
    wells
        The wells in the order of the plate: index their names, columns `row`, `column`, `n_images`; those without cells
        included.

    Returns
    -------
    X is the profile; layers `median` and `mean` as measured, `corrected` without effects of the plate; obs has the
    place, numbers and the plate map's columns; var the controls' median and spread; `uns['plate_effects']` what was
    taken out, or why not.
    """
    features = _features(cells)
    number = pd.Index(wells.index).get_indexer(cells.obs["well"].astype(str))
    if (number < 0).any():
        raise ValueError("cells lie in wells that the plate does not have")
    kept = (
        cells.obs["qc_pass"].to_numpy(dtype=bool)
        if "qc_pass" in cells.obs
        else np.ones(len(number), dtype=bool)
    )
    counts = np.bincount(number[kept], minlength=len(wells))
    median, mean = _summarised(features.to_numpy(np.float64)[kept], number[kept], len(wells))
    names = [COUNT, *features.columns]
    layers = {"median": np.column_stack([counts, median]), "mean": np.column_stack([counts, mean])}
    obs = wells.assign(n_cells=counts)
    described = _described(sample, wells, options)
    obs = obs.join(described.astype("category"))
    obs["is_control"] = _controls(described, options)
    corrected, effects = _corrected(layers["median"], wells, described, options)
    profile, centre, spread = _beside(corrected, obs["is_control"].to_numpy(bool))
    var = pd.DataFrame(
        {"control_median": centre, "control_spread": spread},
        index=pd.Index(names, dtype=object, name="feature"),
    )
    table = AnnData(X=profile, obs=obs, var=var, layers={**layers, "corrected": corrected})
    table.uns["plate_effects"] = dict(effects)
    return table


def _features(cells: AnnData) -> pd.DataFrame:
    """Everything measured in each cell: intensities of all channels, and shape."""
    frames = [cells.obsm[name] for name in ("intensity", "shape") if name in cells.obsm]
    sizes = cells.obs[
        [name for name in ("area_um2", "nucleus_area_um2", "eccentricity") if name in cells.obs]
    ]
    joined: pd.DataFrame = pd.concat([sizes, *frames], axis=1)
    of_cells = [name for name in joined.columns if not _PLACE.search(name)]
    kept: pd.DataFrame = joined.loc[:, of_cells]
    return kept.loc[:, ~kept.columns.duplicated()]


def _summarised(values: Floats, number: Ints, n_wells: int) -> tuple[Floats, Floats]:
    """Median and mean of each feature in each well; NaN where a well has no cells."""
    median, mean = (np.full((n_wells, values.shape[1]), np.nan) for _ in range(2))
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(n_wells + 1))
    for well in range(n_wells):
        part = values[order[bounds[well] : bounds[well + 1]]]
        for column in range(values.shape[1] if len(part) else 0):
            known = part[np.isfinite(part[:, column]), column]
            if known.size:
                median[well, column], mean[well, column] = np.median(known), known.mean()
    return median, mean


def _described(sample: str, wells: pd.DataFrame, options: ProfileOptions) -> pd.DataFrame:
    if options.plate_map is None:
        return pd.DataFrame(index=wells.index)
    return read_plate_map(options.plate_map, sample=sample, wells=list(wells.index))


def _controls(described: pd.DataFrame, options: ProfileOptions) -> npt.NDArray[np.bool_]:
    """Control wells; all where none are named."""
    if options.controls is None:
        return np.ones(len(described), dtype=bool)
    if options.plate_map is None:
        raise UserError(
            where="analysis.profiles.controls",
            found="controls are named, but there is no plate map",
            do="give analysis.profiles.plate_map",
        )
    found = controls_of(described, options.controls, f"plate map '{options.plate_map}'")
    if int(found.sum()) < _LEAST_CONTROLS:
        raise UserError(
            where="analysis.profiles.controls",
            found=f"{int(found.sum())} wells are controls; their spread needs {_LEAST_CONTROLS}",
            do="name more, or none: then all wells are what each is compared with",
        )
    return found.to_numpy(dtype=bool)


def _places(wells: pd.DataFrame) -> tuple[Ints, Ints]:
    """Row and column of each well, from 0 and without gaps."""
    row, column = (
        pd.Index(names).get_indexer(pd.Index(wells[of].astype(str)))
        for of, names in zip(("row", "column"), _names(wells), strict=True)
    )
    return row.astype(np.int64), column.astype(np.int64)


def _corrected(
    values: Floats, wells: pd.DataFrame, described: pd.DataFrame, options: ProfileOptions
) -> tuple[Floats, Mapping[str, Any]]:
    """Values without effects of rows and columns, and what these were.

    What is above 0 in all wells is corrected on a logarithmic scale, as light multiplies: the effects are factors.
    """
    row, column = _places(wells)
    if options.plate_effects == "none":
        return values.copy(), {"method": "none: not asked for"}
    if not can_be_found(row, column):
        return values.copy(), {"method": "none: too few rows or columns with enough wells"}
    is_factor = ~(values <= 0).any(axis=0)
    scaled = np.where(is_factor, np.log(np.where(is_factor, values, 1.0)), values)
    alike = described[_column_of(options)] if options.controls else pd.Series("", index=wells.index)
    effects = find_effects(scaled, row, column, list(alike))
    scaled = scaled - effects.of_wells(row, column)
    names = _names(wells)
    told = {
        "method": "median polish"
        + (f" beside the effect of {_column_of(options)}" if options.controls else ""),
        "is_factor": is_factor,
        "rows": np.where(is_factor, np.exp(effects.rows), effects.rows),
        "columns": np.where(is_factor, np.exp(effects.columns), effects.columns),
        "row_names": np.array(names[0], dtype=object),
        "column_names": np.array(names[1], dtype=object),
    }
    return np.where(is_factor, np.exp(scaled), scaled), told


def _column_of(options: ProfileOptions) -> str:
    return (options.controls or "").partition("=")[0].strip()


def _names(wells: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Rows and columns in the order of the plate."""
    rows = sorted(set(wells["row"].astype(str)), key=lambda name: (len(name), name))
    return rows, sorted(set(wells["column"].astype(str)), key=int)


def _beside(values: Floats, is_control: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Distance from the controls in units of their spread; 0 spread gives NaN where a well differs."""
    known = [column[np.isfinite(column)] for column in values[is_control].T]
    centre = np.array([np.median(column) if column.size else np.nan for column in known])
    spread = np.array(
        [
            _MAD * np.median(np.abs(column - middle)) if column.size else np.nan
            for column, middle in zip(known, centre, strict=True)
        ]
    )
    away = values - centre
    profile = np.full(values.shape, np.nan)
    np.divide(away, spread, out=profile, where=spread > 0)
    profile[(away == 0) & np.isfinite(away)] = 0.0
    return profile, centre, spread
