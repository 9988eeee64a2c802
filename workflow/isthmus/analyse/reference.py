"""Reference: mean expression profiles of known cell types, read from a table.

Layout: one row a profile; a column `cell_type`; a column for each gene; optionally `atlas`, `ct_idx` and a
nameless first column, which are not used. A type may have many rows, for instance one for each atlas it was
seen in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import UserError, did_you_mean

Floats = NDArray[np.float64]
Scale = Literal["log1p", "linear"]

UNASSIGNED = "unassigned"
TYPE_COLUMN = "cell_type"
OTHER_COLUMNS = ("atlas", "ct_idx")
# A mean of log1p values above this would be a gene with a hundred million molecules a cell.
LARGEST_LOG1P = 20.0
LEAST_SHARED = 10
"""Genes that a table and a reference must share."""


@dataclass(frozen=True)
class Reference:
    """Profiles of cell types.

    Attributes
    ----------
    genes
        Names of the columns of `shares`.
    labels
        Cell type of each profile (row).
    shares
        Profiles x genes, float64: share of each gene in a profile's expression, linear; rows sum to 1.
    """

    genes: tuple[str, ...]
    labels: tuple[str, ...]
    shares: Floats

    @property
    def types(self) -> list[str]:
        """The cell types, sorted."""
        return sorted(set(self.labels))

    @property
    def mean_share(self) -> Floats:
        """Genes, float64: mean of the types, each the mean of its profiles; sums to 1."""
        labels = np.array(self.labels)
        means: Floats = np.mean([self.shares[labels == name].mean(axis=0) for name in self.types], axis=0)
        return means

    def restricted_to(self, genes: Sequence[str], *, where: str, min_genes: int = LEAST_SHARED) -> Reference:
        """The same profiles over those of `genes` that the reference has, in the order of `genes`."""
        column = {gene: index for index, gene in enumerate(self.genes)}
        shared = [gene for gene in genes if gene in column]
        if len(shared) < min_genes:
            raise too_few_shared(where, shared, self.genes, genes, min_genes)
        shares = self.shares[:, [column[gene] for gene in shared]]
        return _normalised(tuple(shared), self.labels, shares, where)


def read_reference(path: Path, *, scale: Scale = "log1p") -> Reference:
    """Read a reference table (.csv, or tab-separated .tsv/.txt; also .gz).

    Parameters
    ----------
    path
        The table; its layout is described at the head of this module.
    scale
        Of the values: 'log1p' (means of log1p-normalised expression, as in TISCH and the demo) or 'linear'.
    """
    frame = _read_frame(path)
    if TYPE_COLUMN not in frame:
        raise UserError(
            where=str(path),
            found=f"no column '{TYPE_COLUMN}' among {len(frame.columns)}",
            do="name the column that holds the cell types so" + _hint(frame),
        )
    labels = frame[TYPE_COLUMN].astype("string").str.strip()
    _check_labels(labels, path)
    nameless = [name for name in frame.columns if not str(name).strip() or str(name).startswith("Unnamed:")]
    genes = frame.drop(columns=[TYPE_COLUMN, *nameless, *(c for c in OTHER_COLUMNS if c in frame)])
    values = _numbers(genes, path)
    if scale == "log1p" and values.max() > LARGEST_LOG1P:
        raise UserError(
            where=str(path),
            found=f"a value of {values.max():g}, too large for a mean of log1p expression",
            do="give log1p values, or say that the scale is linear",
        )
    linear = np.expm1(values) if scale == "log1p" else values
    return _normalised(tuple(map(str, genes.columns)), tuple(map(str, labels)), linear, str(path))


def _read_frame(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(
            where=str(path), found="no such reference table", do="check analysis.annotation.reference"
        )
    separator = "\t" if {".tsv", ".txt"} & set(path.suffixes) else ","
    try:
        header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0]
        frame = pd.read_csv(path, sep=separator, low_memory=False)
    except pd.errors.EmptyDataError:
        raise UserError(where=str(path), found="the file is empty", do="give a table of profiles") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise UserError(where=str(path), found=f"not a table ({error})", do="give CSV or TSV text") from error
    twice = header[header.duplicated()].dropna()
    if len(twice):
        raise UserError(
            where=str(path), found=f"column '{twice.iloc[0]}' occurs twice", do="keep one of them"
        )
    if frame.empty:
        raise UserError(where=str(path), found="a header without rows", do="give a row for each profile")
    return frame


def _hint(frame: pd.DataFrame) -> str:
    texts = [str(name) for name in frame.columns if frame[name].dtype == object]
    hint = did_you_mean(TYPE_COLUMN, texts)
    return f" ({hint})" if texts and hint.startswith("did") else ""


def _check_labels(labels: pd.Series[str], path: Path) -> None:
    empty = labels.isna() | (labels == "")
    if empty.any():
        line = int(np.flatnonzero(empty)[0]) + 2
        raise UserError(
            where=f"{path}, line {line}",
            found=f"no value in column '{TYPE_COLUMN}'",
            do="name the type or drop the row",
        )
    if (labels == UNASSIGNED).any():
        raise UserError(
            where=str(path),
            found=f"a type called '{UNASSIGNED}'",
            do="rename it: that word means that no type fits",
        )
    if labels.nunique() < 2:
        raise UserError(
            where=str(path),
            found="a single cell type",
            do="give two or more, there is nothing to choose from",
        )


def _numbers(genes: pd.DataFrame, path: Path) -> Floats:
    if not len(genes.columns):
        raise UserError(where=str(path), found="no column of a gene", do="give a column for each gene")
    values = np.empty(genes.shape)
    for column, name in enumerate(genes.columns):
        numbers = pd.to_numeric(genes[name], errors="coerce").to_numpy(dtype=np.float64)
        bad = ~np.isfinite(numbers) | (numbers < 0)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise UserError(
                where=f"{path}, line {row + 2}, column '{name}'",
                found=f"'{genes[name].iloc[row]}' where expression is expected",
                do="give a number of 0 or more, or drop the column if it is no gene",
            )
        values[:, column] = numbers
    return values


def _normalised(genes: tuple[str, ...], labels: tuple[str, ...], linear: Floats, where: str) -> Reference:
    total = linear.sum(axis=1, keepdims=True)
    silent = np.flatnonzero(total[:, 0] == 0)
    if silent.size:
        raise UserError(
            where=where,
            found=f"profile {silent[0] + 1} ('{labels[silent[0]]}') is 0 in all {len(genes)} genes in use",
            do="drop that profile",
        )
    return Reference(genes=genes, labels=labels, shares=linear / total)


def too_few_shared(
    where: str,
    shared: Sequence[str],
    known: Sequence[str],
    genes: Sequence[str],
    min_genes: int = LEAST_SHARED,
) -> UserError:
    """The error of a table that has too few of the reference's genes, with what may be the reason."""
    if len({gene.upper() for gene in genes} & {gene.upper() for gene in known}) >= min_genes:
        do = "the names differ in upper and lower case: is one of them mouse, the other human?"
    else:
        ours, theirs = ", ".join(genes[:3]), ", ".join(known[:3])
        do = f"use one kind of name; the table has {ours}, the reference {theirs}"
    found = f"{len(shared)} of {len(genes)} genes are in the reference, {min_genes} are needed"
    return UserError(where=where, found=found, do=do)
