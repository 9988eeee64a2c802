"""Counts of cells with their names, and what every file of them is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from isthmus.errors import UserError

GENE_EXPRESSION = "Gene Expression"
COPY = "copy it again from its source"
_LARGEST = np.iinfo(np.int32).max
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class CountMatrix:
    """Counts (barcodes x features, CSR int32) with their names.

    barcodes, feature_ids, feature_names and feature_types are arrays of text; where a format has no types all are
    'Gene Expression', where it has no ids `has_ids` is false and ids are names. Names may occur twice, ids may not.
    columns are what a file tells of each barcode besides.
    """

    counts: csr_matrix
    barcodes: Texts
    feature_ids: Texts
    feature_names: Texts
    feature_types: Texts
    files: tuple[Path, ...]
    has_ids: bool = True
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def features(self, keep: npt.NDArray[np.bool_]) -> CountMatrix:
        """The matrix of some of its features."""
        return CountMatrix(
            self.counts[:, keep],
            self.barcodes,
            self.feature_ids[keep],
            self.feature_names[keep],
            self.feature_types[keep],
            self.files,
            self.has_ids,
            self.columns,
        )

    def rows(self, keep: npt.NDArray[np.bool_]) -> CountMatrix:
        """The matrix of some of its barcodes."""
        return CountMatrix(
            self.counts[keep],
            self.barcodes[keep],
            self.feature_ids,
            self.feature_names,
            self.feature_types,
            self.files,
            self.has_ids,
            {name: values[keep] for name, values in self.columns.items()},
        )


def as_counts(values: object, where: str) -> csr_matrix:
    """A matrix as CSR int32, canonical; anything but whole numbers of 0 or more is told."""
    matrix = csr_matrix(values)
    matrix.sum_duplicates()
    data = matrix.data
    if data.dtype.kind not in "iufb":
        raise UserError(where=where, found=f"values of type {data.dtype.name}", do="give raw counts")
    bad = ~np.isfinite(data) | (data < 0) | (data != np.floor(data)) | (data > _LARGEST)
    if bad.any():
        raise UserError(
            where=where,
            found=f"the value {data[np.flatnonzero(bad)[0]]:.15g} where counts are expected",
            do="give raw counts: whole numbers, neither normalised nor logarithms",
        )
    counts = csr_matrix(
        (data.astype(np.int32), matrix.indices.astype(np.int32), matrix.indptr), shape=matrix.shape
    )
    counts.eliminate_zeros()
    return counts


def checked(
    values: object,
    barcodes: Sequence[str],
    names: Sequence[str],
    *,
    where: str,
    ids: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    files: tuple[Path, ...] = (),
    columns: Mapping[str, npt.NDArray[Any]] | None = None,
) -> CountMatrix:
    """The matrix, when names and numbers fit together; UserError otherwise.

    Parameters
    ----------
    values
        Barcodes x features, anything that a sparse matrix is made of.
    """
    counts = as_counts(values, where)
    if counts.shape != (len(barcodes), len(names)):
        found = (
            f"the matrix has {counts.shape[1]} features and {counts.shape[0]} barcodes, but {len(names)} features and"
            f" {len(barcodes)} barcodes are named"
        )
        raise UserError(where=where, found=found, do="give files of one export")
    if 0 in counts.shape:
        found = f"{counts.shape[0]} cells and {counts.shape[1]} features"
        raise UserError(where=where, found=found, do="give a table that has both")
    for what, found_names in (("cell", barcodes), ("feature id", ids or [])):
        if (twice := _first_twice(found_names)) is not None:
            raise UserError(
                where=where, found=f"{what} '{twice}' occurs twice", do="give each a name of its own"
            )
    return CountMatrix(
        counts,
        barcodes=_array(barcodes),
        feature_ids=_array(ids or names),
        feature_names=_array(names),
        feature_types=_array(types or [GENE_EXPRESSION] * len(names)),
        files=files,
        has_ids=ids is not None,
        columns=columns or {},
    )


def _array(names: Sequence[str]) -> Texts:
    return np.array(list(names), dtype=object)


def _first_twice(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def texts(values: npt.NDArray[Any]) -> list[str]:
    """Names as HDF5 files have them, as text."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
