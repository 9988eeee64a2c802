"""Reference of single cells: raw counts of cells whose types are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from isthmus.analyse.count_files import read_counts
from isthmus.analyse.reference import TYPE_COLUMN, UNASSIGNED, Reference
from isthmus.analyse.reference_types import ONTOLOGY_COLUMN, read_types_table
from isthmus.errors import UserError, did_you_mean

MIN_CELLS = 5
_MOST_NAMED = 5


@dataclass(frozen=True)
class CellReference:
    """Cells of known types.

    Attributes
    ----------
    counts
        Cells x genes, CSR int32.
    genes
        Names of the columns.
    labels
        Type of each cell.
    ontology
        Id of the Cell Ontology by type, where the reference has them.
    dropped
        Types that were left out because they have fewer than MIN_CELLS cells.
    """

    counts: sparse.csr_matrix
    genes: tuple[str, ...]
    labels: NDArray[np.str_]
    ontology: dict[str, str]
    dropped: tuple[str, ...] = ()

    @property
    def types(self) -> list[str]:
        """The types, sorted."""
        return sorted(set(self.labels.tolist()))

    def restricted_to(self, genes: Sequence[str]) -> CellReference:
        """The same cells over those genes, all of which it has, in this order."""
        column = {gene: index for index, gene in enumerate(self.genes)}
        counts = self.counts[:, [column[gene] for gene in genes]]
        return CellReference(counts, tuple(genes), self.labels, self.ontology, self.dropped)

    def taken(self, rows: NDArray[np.int64]) -> CellReference:
        """The same with some of the cells."""
        return CellReference(self.counts[rows], self.genes, self.labels[rows], self.ontology, self.dropped)

    def profiles(self) -> Reference:
        """The sum of each type's cells as a profile; a gene that a type never shows has a millionth of a count."""
        types = self.types
        sums = np.stack(
            [np.asarray(self.counts[self.labels == name].sum(axis=0)).ravel() for name in types]
        ).astype(np.float64)
        sums += 1e-6
        return Reference(self.genes, tuple(types), sums / sums.sum(axis=1, keepdims=True))


def read_cell_reference(path: Path, *, types: Path | None = None, column: str = TYPE_COLUMN) -> CellReference:
    """Read counts and the types of their cells.

    Parameters
    ----------
    path
        Table of counts, any kind that `read_counts` knows.
    types
        CSV or TSV: first column the cell, and a column of its type (the only other one, or the one called `column`),
        optionally `cell_type_ontology_term_id`. None where the counts are an h5ad or a loom file that has them.
    column
        Name of the column of types.
    """
    table = read_counts(path)
    obs, where = (table.obs, str(path)) if types is None else (read_types_table(types, column), str(types))
    if types is not None:
        obs = _aligned(obs, table.obs_names, types, path)
    if column not in obs:
        raise UserError(
            where=where,
            found=f"no column '{column}' that names the cells' types",
            do=f"set analysis.annotation.type_column or reference_types ({did_you_mean(column, list(obs.columns))})",
        )
    labels = obs[column].astype("string").str.strip().fillna("")
    known = ((labels != "") & (labels != UNASSIGNED)).to_numpy()
    sizes = labels[known].value_counts()
    few = sorted(str(name) for name in sizes.index[sizes < MIN_CELLS])
    use = known & ~labels.isin(few).to_numpy(dtype=bool)
    if labels[use].nunique() < 2:
        raise UserError(
            where=where,
            found=f"{labels[use].nunique()} types of {MIN_CELLS} cells or more",
            do="give two or more, there is nothing to choose from",
        )
    counts = sparse.csr_matrix(table.X)[use]
    total = np.asarray(counts.sum(axis=1)).ravel()
    return CellReference(
        counts=counts[total > 0],
        genes=tuple(map(str, table.var_names)),
        labels=labels[use].to_numpy(dtype=str)[total > 0],
        ontology=_ontology(obs[use], labels[use], where),
        dropped=tuple(few),
    )


def _aligned(frame: pd.DataFrame, cells: pd.Index[str], types: Path, counts: Path) -> pd.DataFrame:
    """Types in the order of the cells; cells without a row have none."""
    twice = frame.index[frame.index.duplicated()]
    if len(twice):
        raise UserError(where=str(types), found=f"cell '{twice[0]}' occurs twice", do="keep one row a cell")
    if not cells.isin(frame.index).any():
        raise UserError(
            where=str(types),
            found=f"none of its {len(frame)} cells (first: {frame.index[0] if len(frame) else 'none'}) is in"
            f" {counts.name} (first: {cells[0]})",
            do="use the same names of cells in both",
        )
    return frame.reindex(cells)


def _ontology(obs: pd.DataFrame, labels: pd.Series[str], where: str) -> dict[str, str]:
    if ONTOLOGY_COLUMN not in obs:
        return {}
    pairs = pd.DataFrame(
        {"type": labels.astype(str).to_numpy(), "id": obs[ONTOLOGY_COLUMN].astype(str).to_numpy()}
    )
    pairs = pairs[~pairs["id"].isin(["", "nan", "None", "<NA>"])].drop_duplicates()
    wrong = pairs[~pairs["id"].str.fullmatch(r"[A-Za-z]+:\w+|unknown")]
    if len(wrong):
        raise UserError(
            where=f"{where}, column '{ONTOLOGY_COLUMN}'",
            found=f"'{wrong['id'].iloc[0]}' for type '{wrong['type'].iloc[0]}'",
            do="give ids such as CL:0000540",
        )
    many = pairs["type"].duplicated(keep=False)
    if many.any():
        name = pairs.loc[many, "type"].iloc[0]
        ids = ", ".join(pairs.loc[pairs["type"] == name, "id"].head(_MOST_NAMED))
        raise UserError(
            where=f"{where}, column '{ONTOLOGY_COLUMN}'",
            found=f"several ids for type '{name}' ({ids})",
            do="give each type one id",
        )
    return dict(zip(pairs["type"], pairs["id"], strict=True))
