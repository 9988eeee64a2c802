"""How the transcripts were shared out, and how far that agrees with the vendor's own cells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64 = npt.NDArray[np.int64]

KINDS = ("gene", "control", "low_quality")
COMPARTMENTS = ("none", "nucleus", "cytoplasm")


@dataclass
class TranscriptTally:
    """Counts over all transcripts, batch by batch; memory grows with cells, not with transcripts.

    by_kind
        (kind, compartment) in the order of KINDS and COMPARTMENTS.
    """

    controls: frozenset[str]
    min_qv: float
    by_kind: Int64 = field(default_factory=lambda: np.zeros((3, 3), dtype=np.int64))
    n_outside: int = 0
    _flagged: int = 0
    _flagged_in_nuclei: int = 0
    _in_nuclei: int = 0
    _has_flag: bool = False
    _vendor_codes: dict[str, int] = field(default_factory=dict)
    _pairs: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, batch: pa.RecordBatch, inside: npt.NDArray[np.bool_]) -> None:
        """Add a batch with instance_id and compartment; `inside` marks the rows that lie in the image."""
        names = batch.schema.names
        gene = batch.column("gene")
        control = np.array([name in self.controls for name in gene.dictionary.to_pylist()], dtype=bool)
        kind = np.where(control[gene.indices.to_numpy(zero_copy_only=False)], 1, 0)
        if "qv" in names:
            # As where cells are counted, a transcript without a quality value is not of sufficient quality.
            kind[~(batch.column("qv").to_numpy(zero_copy_only=False) >= self.min_qv)] = 2
        part = batch.column("compartment").indices.to_numpy(zero_copy_only=False).astype(np.int64)
        self.n_outside += int((~inside).sum())
        np.add.at(self.by_kind, (kind[inside], part[inside]), 1)
        good = (kind == 0) & inside
        if "overlaps_nucleus" in names:
            self._has_flag = True
            flag = batch.column("overlaps_nucleus").to_numpy(zero_copy_only=False).astype(bool)
            self._flagged += int((flag & good).sum())
            self._in_nuclei += int(((part == 1) & good).sum())
            self._flagged_in_nuclei += int((flag & (part == 1) & good).sum())
        if "vendor_cell_id" in names:
            ours = batch.column("instance_id").to_numpy()
            self._add_pairs(batch.column("vendor_cell_id"), ours, good)

    def _add_pairs(self, vendor: pa.Array, ours: Int64, good: npt.NDArray[np.bool_]) -> None:
        encoded = vendor.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        table = np.array(
            [self._vendor_codes.setdefault(n, len(self._vendor_codes) + 1) for n in names], np.int64
        )
        theirs = np.zeros(len(encoded), dtype=np.int64)
        known = encoded.is_valid().to_numpy(zero_copy_only=False)
        theirs[known] = table[encoded.indices.drop_null().to_numpy(zero_copy_only=False)]
        pairs, counts = np.unique(np.column_stack([theirs[good], ours[good]]), axis=0, return_counts=True)
        for (a, b), n in zip(pairs.tolist(), counts.tolist(), strict=True):
            self._pairs[(a, b)] += n

    def summary(self, *, n_cells: int, n_vendor_cells: int | None) -> dict[str, Any]:
        """Numbers for the report, as JSON."""
        made: dict[str, Any] = {
            "by_kind": {
                kind: dict(zip(COMPARTMENTS, (int(n) for n in row), strict=True))
                for kind, row in zip(KINDS, self.by_kind, strict=True)
            },
            "n_outside_image": self.n_outside,
        }
        if self._vendor_codes or self._has_flag:
            made["vendor"] = self._agreement(n_cells, n_vendor_cells)
        return made

    def _agreement(self, n_cells: int, n_vendor_cells: int | None) -> dict[str, Any]:
        found: dict[str, Any] = {
            "n_cells": n_cells,
            "n_vendor_cells": n_vendor_cells or len({a for a, _ in self._pairs if a}),
        }
        if self._has_flag:
            found["nucleus_recall"] = _ratio(self._flagged_in_nuclei, self._flagged)
            found["nucleus_precision"] = _ratio(self._flagged_in_nuclei, self._in_nuclei)
        if self._pairs:
            both = {pair: n for pair, n in self._pairs.items() if all(pair)}
            found["n_assigned_by_both"] = sum(both.values())
            found["n_assigned_by_vendor"] = sum(n for (a, _), n in self._pairs.items() if a)
            found["n_assigned_here"] = sum(n for (_, b), n in self._pairs.items() if b)
            found["adjusted_rand_index"] = adjusted_rand_index(both)
            found["n_merged"] = n_mixed({(ours, theirs): n for (theirs, ours), n in both.items()})
            found["n_split"] = n_mixed(both)
        return found


def adjusted_rand_index(pairs: dict[tuple[int, int], int]) -> float | None:
    """Adjusted Rand index of two groupings from their contingency table; None where there is nothing to compare.

    Hubert and Arabie 1985, doi:10.1007/BF01908075; exact integers up to the last division.
    """
    rows, columns = Counter[int](), Counter[int]()
    for (a, b), n in pairs.items():
        rows[a] += n
        columns[b] += n
    total = sum(rows.values())
    if total < 2:
        return None
    same = sum(_choose2(n) for n in pairs.values())
    in_rows, in_columns = sum(map(_choose2, rows.values())), sum(map(_choose2, columns.values()))
    expected = in_rows * in_columns / _choose2(total)
    most = (in_rows + in_columns) / 2
    return 1.0 if most == expected else (same - expected) / (most - expected)


def n_mixed(pairs: dict[tuple[int, int], int]) -> int:
    """Groups (first of each pair) of which at least a quarter lies in another than their largest part (second)."""
    total, largest = Counter[int](), Counter[int]()
    second = Counter[int]()
    for (group, _), n in pairs.items():
        total[group] += n
        if n > largest[group]:
            second[group], largest[group] = largest[group], n
        elif n > second[group]:
            second[group] = n
    return sum(4 * second[group] >= n for group, n in total.items())


def _choose2(n: int) -> int:
    return n * (n - 1) // 2


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
