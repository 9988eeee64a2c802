"""How the transcripts were shared out, and how far that agrees with the vendor's own cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from isthmus.tables.join import add_kinds

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

    def add(
        self, batch: pa.RecordBatch, compartment: npt.NDArray[np.int8], inside: npt.NDArray[np.bool_]
    ) -> None:
        """Add a batch with instance_id; `compartment` are codes, `inside` marks the rows that lie in the image."""
        names = batch.schema.names
        gene = batch.column("gene")
        control = np.array([name in self.controls for name in gene.dictionary.to_pylist()], dtype=bool)
        qv = np.empty(0, dtype=np.float32)
        if "qv" in names:
            qv = batch.column("qv").to_numpy(zero_copy_only=False)
        good = np.empty(batch.num_rows, dtype=bool)
        indices = gene.indices.to_numpy(zero_copy_only=False)
        self.n_outside += add_kinds(
            control, indices, qv, self.min_qv, compartment, inside, self.by_kind, good
        )
        if "overlaps_nucleus" in names:
            self._has_flag = True
            flag = batch.column("overlaps_nucleus").to_numpy(zero_copy_only=False).astype(bool)
            in_nucleus = compartment == 1
            self._flagged += int((flag & good).sum())
            self._in_nuclei += int((in_nucleus & good).sum())
            self._flagged_in_nuclei += int((flag & in_nucleus & good).sum())
        if "vendor_cell_id" in names:
            ours = batch.column("instance_id").to_numpy()
            self._add_pairs(batch.column("vendor_cell_id"), ours, good)

    def _add_pairs(self, vendor: pa.Array, ours: Int64, good: npt.NDArray[np.bool_]) -> None:
        encoded = vendor.dictionary_encode()
        codes = self._vendor_codes
        table = np.array(
            [codes.setdefault(n, len(codes) + 1) for n in encoded.dictionary.to_pylist()], np.int64
        )
        theirs = np.zeros(len(encoded), dtype=np.int64)
        known = encoded.is_valid().to_numpy(zero_copy_only=False)
        theirs[known] = table[encoded.indices.drop_null().to_numpy(zero_copy_only=False)]
        for (a, b), n in _count_pairs(theirs[good], ours[good]):
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


def vendor_cells_by_plane(batch: pa.RecordBatch, plane_step_um: float) -> pa.RecordBatch:
    """Transcripts whose vendor's cell is told apart by plane, as ours are where each plane is an image of its own."""
    if "vendor_cell_id" not in batch.schema.names:
        return batch
    at = batch.schema.names.index("vendor_cell_id")
    plane = pc.floor(pc.divide(batch.column("z_um").cast(pa.float64()), plane_step_um)).cast(pa.int64())
    cell = batch.column("vendor_cell_id").cast(pa.string())
    named = pc.binary_join_element_wise(cell, plane.cast(pa.string()), " in plane ")
    return batch.set_column(at, "vendor_cell_id", named)


def _count_pairs(one: Int64, other: Int64) -> Iterator[tuple[tuple[int, int], int]]:
    """How often each pair occurs."""
    order = np.lexsort((other, one))
    one, other = one[order], other[order]
    begins = np.flatnonzero(
        np.concatenate([np.ones(min(one.size, 1), dtype=bool), (np.diff(one) != 0) | (np.diff(other) != 0)])
    )
    counts = np.diff(np.append(begins, one.size))
    for a, b, n in zip(one[begins].tolist(), other[begins].tolist(), counts.tolist(), strict=True):
        yield (a, b), n


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
