"""What images and counts tell of whole samples or wells: medians over cells, sums of counts, shares of types.

Files are read a column or a stretch of entries at a time, so that memory follows the cells of the largest sample and
the number of units times features.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata.io import read_elem

from isthmus.config.omics import Unit
from isthmus.tables.modalities import FRAMES

_ENTRIES = 1 << 22
_OF_PLACE = re.compile(r"^(centroid_|orientation_|[zyx]_(min|max)_px)")
"""Columns that say where a cell lies or how it is turned, which means nothing for a sample."""


def unit_names(obs: pd.DataFrame, sample: str, unit: Unit) -> pd.Series[str]:
    """The unit of each cell: its sample, or `<sample>-<well>`."""
    if unit == "sample":
        return pd.Series(sample, index=obs.index, dtype=object)
    if "well" not in obs:
        return pd.Series("", index=obs.index, dtype=object)
    return sample + "-" + obs["well"].astype(str)


def count_cells(tables: Mapping[str, Path], unit: Unit) -> pd.DataFrame:
    """Cells and cells that passed quality control of each unit, with its `sample` (and `well`), units as index."""
    parts = []
    for sample, path in tables.items():
        with h5py.File(path) as file:
            obs = _obs(file)
        of = unit_names(obs, sample, unit)
        frame = pd.DataFrame({"n_cells": 1, "n_passed": obs["qc_pass"].to_numpy(int)}, index=obs.index)
        counts = frame.groupby(of.to_numpy(), sort=False).sum()
        if unit == "sample":
            counts = counts.reindex([sample], fill_value=0)
        counts = counts.loc[[name for name in counts.index if name]]
        counts.insert(0, "sample", sample)
        if unit == "well":
            counts.insert(1, "well", [str(name).removeprefix(f"{sample}-") for name in counts.index])
        parts.append(counts)
    whole = pd.concat(parts)
    whole.index = pd.Index([str(name) for name in whole.index], dtype=object)
    return whole


def image_medians(tables: Mapping[str, Path], unit: Unit) -> pd.DataFrame:
    """Medians of image features (intensity, shape, texture) over the passing cells of each unit.

    Parameters
    ----------
    tables
        `cells.h5ad` of each sample.

    Returns
    -------
    Units x features that every sample has, without those of place; NaN where no cell has a value.
    """
    parts = []
    for sample, path in tables.items():
        with h5py.File(path) as file:
            obs = _obs(file)
            good = obs["qc_pass"].to_numpy(bool)
            of = unit_names(obs, sample, unit).to_numpy()[good]
            columns = {}
            for frame in FRAMES:
                group = file["obsm"].get(frame)
                for name in [] if group is None else group.attrs["column-order"]:
                    if not _OF_PLACE.match(name):
                        values = np.asarray(group[name], np.float64)[good]
                        columns[str(name)] = pd.Series(values).groupby(of, sort=False).median()
        if columns and good.any():
            parts.append(pd.DataFrame(columns))
    if not parts:
        return pd.DataFrame()
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return pd.concat([part[shared] for part in parts])


def pseudobulk(tables: Mapping[str, Path], unit: Unit) -> pd.DataFrame:
    """Counts of genes that every sample has, added up over the passing cells of each unit (units x genes, int64)."""
    parts = []
    for sample, path in tables.items():
        with h5py.File(path) as file:
            if "layers/counts" not in file:
                return pd.DataFrame()
            obs = _obs(file)
            genes = [str(name) for name in read_elem(file["var"][file["var"].attrs["_index"]])]
            good = obs["qc_pass"].to_numpy(bool)
            names, of = np.unique(unit_names(obs, sample, unit).to_numpy()[good], return_inverse=True)
            row = np.full(len(obs), -1, dtype=np.int64)
            row[good] = of
            if names.size:
                parts.append(
                    pd.DataFrame(_sums(file["layers/counts"], row, (names.size, len(genes))), names, genes)
                )
    if not parts:
        return pd.DataFrame()
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return pd.concat([part[shared] for part in parts])


def composition(cohort: Path, unit: Unit) -> pd.DataFrame:
    """Cells of each type (of each cluster where there are no types) in each unit (units x types, int64)."""
    with h5py.File(cohort) as file:
        obs = read_elem(file["obs"])
    by = "cell_type" if "cell_type" in obs else "leiden"
    if by not in obs or ("well" not in obs and unit == "well"):
        return pd.DataFrame()
    name = obs["sample"].astype(str)
    of = name if unit == "sample" else name + "-" + obs["well"].astype(str)
    found = pd.crosstab(of, obs[by].astype(str))
    prefix = "" if by == "cell_type" else "cluster "
    found.columns = pd.Index([f"{prefix}{column}" for column in found.columns], dtype=object)
    return found.rename_axis(index=None)


def _obs(file: h5py.File) -> pd.DataFrame:
    obs: pd.DataFrame = read_elem(file["obs"])
    return obs


def _sums(matrix: h5py.Group, row: npt.NDArray[np.int64], shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Column sums by the row's number (-1: none) of a stored matrix compressed by row."""
    bounds = np.asarray(matrix["indptr"], dtype=np.int64)
    total = np.zeros(shape[0] * shape[1], dtype=np.int64)
    for start in range(0, matrix["data"].shape[0], _ENTRIES):
        stretch = slice(start, start + _ENTRIES)
        column = np.asarray(matrix["indices"][stretch], np.int64)
        value = np.asarray(matrix["data"][stretch], np.int64)
        at = row[np.searchsorted(bounds, np.arange(start, start + column.size), side="right") - 1]
        kept = at >= 0
        np.add.at(total, at[kept] * shape[1] + column[kept], value[kept])
    return total.reshape(shape)


def in_order(frame: pd.DataFrame, units: Sequence[str]) -> pd.DataFrame:
    """The rows of the units that a frame has, in the order of the units."""
    return frame.loc[[unit for unit in units if unit in frame.index]]
