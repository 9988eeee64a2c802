"""Kernels that join the sparse counts of blocks, and count transcripts by kind."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@kernel
def deal(
    cell: Int64,
    n_entries: Int64,
    feature: Int32,
    counts: Int32,
    cursor: Int64,
    out_feature: Int32,
    out_counts: Int32,
) -> None:
    """Put the entries of a block's cells where those cells have room.

    Parameters
    ----------
    cell, n_entries
        Place of each cell of the block in the table, and how many of the entries are its own, one cell after the other.
    feature, counts
        Of each entry: feature, and (entries, 2) counts.
    cursor
        First free place of each cell of the table; moved on.
    out_feature, out_counts
        Filled.
    """
    i = 0
    for k in range(cell.size):
        at = cursor[cell[k]]
        for _ in range(n_entries[k]):
            out_feature[at] = feature[i]
            out_counts[at, 0] = counts[i, 0]
            out_counts[at, 1] = counts[i, 1]
            at += 1
            i += 1
        cursor[cell[k]] = at


@kernel
def add_up(start: Int64, feature: Int32, counts: Int32, n_features: int) -> int:
    """Add the entries of equal feature in each cell, sort them by feature, and move all to the front.

    Parameters
    ----------
    start
        First entry of each cell, one more at the end; becomes that of what is left.
    feature, counts
        Entries in any order in their cell; changed in place.
    n_features
        Features are below.

    Returns
    -------
    int
        Entries left.
    """
    total = np.zeros((n_features, 2), dtype=np.int32)
    n, begin = 0, start[0]
    for k in range(start.size - 1):
        end = start[k + 1]
        n_before = n
        # What is written lies before what is still to be read: n never passes i.
        for i in range(begin, end):
            f = feature[i]
            if total[f, 0] == 0 and total[f, 1] == 0:
                feature[n] = f
                n += 1
            total[f, 0] += counts[i, 0]
            total[f, 1] += counts[i, 1]
        feature[n_before:n].sort()
        for i in range(n_before, n):
            f = feature[i]
            counts[i, 0] = total[f, 0]
            counts[i, 1] = total[f, 1]
            total[f, 0] = 0
            total[f, 1] = 0
        begin = end
        start[k + 1] = n
    return n


@kernel
def add_kinds(
    control: npt.NDArray[np.bool_],
    gene: Int32,
    qv: npt.NDArray[np.float32],
    min_qv: float,
    compartment: npt.NDArray[np.int8],
    inside: npt.NDArray[np.bool_],
    by_kind: Int64,
    good: npt.NDArray[np.bool_],
) -> int:
    """Count transcripts by kind and compartment.

    Parameters
    ----------
    control
        Of each entry of the dictionary of genes, whether it is a negative control.
    gene, qv, compartment, inside
        Of each transcript: its gene's entry; its quality, or nothing at all where there are none; its compartment;
        whether it is in the image.
    by_kind
        Added to: (kind, compartment), kinds gene, control and low quality; only transcripts in the image.
    good
        Filled: whether it is a gene of sufficient quality, in the image.

    Returns
    -------
    int
        Transcripts outside the image.
    """
    n_outside = 0
    for i in range(gene.size):
        good[i] = False
        if not inside[i]:
            n_outside += 1
            continue
        kind = 1 if control[gene[i]] else 0
        # As where cells are counted, a transcript without a quality value is not of sufficient quality.
        if qv.size and not qv[i] >= min_qv:
            kind = 2
        by_kind[kind, compartment[i]] += 1
        good[i] = kind == 0
    return n_outside
