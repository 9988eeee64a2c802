"""From kb-python's counts to a matrix folder of 10x Genomics."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.io import mmread
from scipy.sparse import csr_matrix

from isthmus.counts.write import write_ten_x
from isthmus.errors import UserError


@dataclass(frozen=True)
class Counted:
    """What was counted: reads and those of a transcript; barcodes with molecules, kept ones and their molecules.

    software are the versions of what has counted.
    """

    n_reads: int
    n_aligned: int
    n_barcodes: int
    n_kept: int
    n_molecules: int
    software: dict[str, str] = field(default_factory=dict)


def convert(made: Path, folder: Path, *, min_molecules: int, where: str) -> Counted:
    """Write the barcodes of at least `min_molecules`, by name, as a 10x folder.

    Parameters
    ----------
    made
        kb's folder.
    """
    reads = json.loads((made / "run_info.json").read_text(encoding="utf-8"))
    n_reads, n_aligned = int(reads["n_processed"]), int(reads["n_pseudoaligned"])
    if not n_aligned:
        raise UserError(
            where=where,
            found=f"none of {n_reads} reads is of a transcript",
            do="check genome or index, and quantification.reads.technology",
        )
    part = made / "counts_unfiltered" / "cells_x_genes"
    barcodes, ids, named = (_lines(part, end) for end in ("barcodes.txt", "genes.txt", "genes.names.txt"))
    counts = csr_matrix(mmread(part.with_name(f"{part.name}.mtx"))) if barcodes else csr_matrix((0, len(ids)))
    molecules = np.asarray(counts.sum(axis=1)).ravel()
    kept = np.array(
        [row for row in np.argsort(np.array(barcodes)) if molecules[row] >= min_molecules], dtype=int
    )
    if not len(kept):
        most = int(molecules.max(initial=0))
        raise UserError(
            where=where,
            found=f"no barcode has {min_molecules} molecules; of {len(barcodes)} barcodes, none has more than {most}",
            do="check quantification.reads.technology and barcodes, or lower min_molecules",
        )
    names = [name or gene for name, gene in zip(named, ids, strict=True)]
    chosen = counts[kept].astype(np.int32)
    chosen.sort_indices()
    write_ten_x(folder, chosen, barcodes=[barcodes[row] for row in kept], ids=ids, names=names)
    total = int(chosen.sum(dtype=np.int64))
    return Counted(n_reads, n_aligned, len(barcodes), len(kept), total, _software(made / "kb_info.json"))


def _software(info: Path) -> dict[str, str]:
    told = json.loads(info.read_text(encoding="utf-8"))
    versions = {"kb-python": told.get("version")}
    versions |= {name: told.get(name, {}).get("version") for name in ("kallisto", "bustools")}
    return {name: str(version) for name, version in versions.items() if version}


def _lines(part: Path, end: str) -> list[str]:
    return part.with_name(f"{part.name}.{end}").read_text(encoding="utf-8").splitlines()
