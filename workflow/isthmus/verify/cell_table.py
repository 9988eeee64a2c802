"""A table of cells as far as it can be held against labels, outlines and transcripts, without its matrix in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata.io import read_elem

_ENTRIES = 1 << 20
"""Entries of a matrix that are in memory at a time."""


class NotATable(Exception):
    """A file is no table of cells, or lacks a part of one."""


@dataclass(frozen=True)
class CellTable:
    """Columns of every cell; counts of cells and of genes added up from the matrix `layers/counts`, if there is one.

    spatial is (cells, 2 or 3), x, y(, z) in micrometres; (cells, 0) for dissociated cells, which lie nowhere.
    """

    obs: pd.DataFrame
    genes: list[str]
    spatial: npt.NDArray[np.float64]
    counts_of_cells: npt.NDArray[np.int64] | None
    counts_of_genes: npt.NDArray[np.int64] | None

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Instance ids, in the order of the rows."""
        return self.obs["instance_id"].to_numpy(dtype=np.int64)


def read_cell_table(path: Path, *, has_places: bool = True) -> CellTable:
    """Read a table.

    Raises
    ------
    NotATable
        It cannot be read, or a part is missing.
    """
    try:
        with h5py.File(path) as file:
            obs, genes = _frame(file["obs"]), _frame(file["var"]).index.tolist()
            obs["instance_id"].to_numpy(dtype=np.int64)
            spatial = np.zeros((len(obs), 0))
            if has_places:
                spatial = np.asarray(file["obsm/spatial"], dtype=np.float64)
            of_cells, of_genes = _totals(file, len(obs), len(genes))
    except (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise NotATable(" ".join(str(error).split())) from error
    return CellTable(obs, genes, spatial, of_cells, of_genes)


def read_names(path: Path) -> list[str]:
    """Names of the rows of a table; raises as `read_cell_table`."""
    try:
        with h5py.File(path) as file:
            return [str(name) for name in _frame(file["obs"]).index]
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotATable(" ".join(str(error).split())) from error


def _frame(group: Any) -> pd.DataFrame:
    found: pd.DataFrame = read_elem(group)
    return found


def _totals(
    file: Any, n_cells: int, n_genes: int
) -> tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.int64] | None]:
    if "layers/counts" not in file:
        return None, None
    matrix = file["layers/counts"]
    bounds = np.asarray(matrix["indptr"], dtype=np.int64)
    if bounds.size != n_cells + 1:
        raise ValueError(f"the matrix has {bounds.size - 1} rows, obs has {n_cells}")
    of_cells, of_genes = np.zeros(n_cells, dtype=np.int64), np.zeros(n_genes, dtype=np.int64)
    for start, gene, count in _entries(matrix):
        np.add.at(of_genes, gene, count)
        at = np.searchsorted(bounds, np.arange(start, start + gene.size), side="right") - 1
        np.add.at(of_cells, at, count)
    return of_cells, of_genes


def _entries(matrix: Any) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """First entry, columns and values of one stretch of a compressed matrix after the other."""
    for start in range(0, matrix["data"].shape[0], _ENTRIES):
        stretch = slice(start, start + _ENTRIES)
        yield (
            start,
            np.asarray(matrix["indices"][stretch], np.int64),
            np.asarray(matrix["data"][stretch], np.int64),
        )
