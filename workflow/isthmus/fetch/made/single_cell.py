"""Generated dissociated cells of six samples: known types, batches, doublets and dying cells.

Five types of cells over 400 genes, 10 of them mitochondrial, of two conditions in three batches (each batch has both).
A batch sees each gene a little more or less; `ill` samples have more macrophages and fewer tumour cells. Some barcodes
hold two cells, some a dying cell whose transcripts are mostly mitochondrial. Files come as 10x folders of both layouts
and as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.fetch.made.drawing import Float64, normal, uniform
from isthmus.fetch.made.text import write_table

SEED = 20261124
TYPES = ("T cell", "B cell", "macrophage", "fibroblast", "tumour")
N_GENES, N_MITO = 400, 10
MARKERS_A_TYPE = 24
N_CELLS = 420
DOUBLETS, DYING = 0.05, 0.04
MIX = {"well": (0.25, 0.15, 0.10, 0.20, 0.30), "ill": (0.25, 0.15, 0.28, 0.20, 0.12)}
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Sample:
    name: str
    batch: int
    condition: str
    layout: str


SAMPLES = (
    _Sample("well1", 1, "well", "new"),
    _Sample("ill1", 1, "ill", "new"),
    _Sample("well2", 2, "well", "old"),
    _Sample("ill2", 2, "ill", "old"),
    _Sample("well3", 3, "well", "text"),
    _Sample("ill3", 3, "ill", "text"),
)


def make(folder: Path) -> None:
    """Write a folder or a table for each sample, profiles.csv, and truth/<sample>.csv."""
    shares = profiles()
    names = gene_names()
    for number, sample in enumerate(SAMPLES):
        counts, kinds, second, dying = draw(number, sample, shares)
        barcodes = [f"{_barcode(number, cell)}-1" for cell in range(N_CELLS)]
        if sample.layout == "text":
            rows = ((name, *counts[:, gene]) for gene, name in enumerate(names))
            write_table(folder / f"{sample.name}.csv", ("", *barcodes), rows)
        else:
            _write_folder(folder / sample.name, counts, names, barcodes, new=sample.layout == "new")
        truth = (
            (barcode, TYPES[kind], int(other >= 0), int(dead))
            for barcode, kind, other, dead in zip(barcodes, kinds, second, dying, strict=True)
        )
        write_table(
            folder / "truth" / f"{sample.name}.csv", ("barcode", "cell_type", "doublet", "dying"), truth
        )
    header = ("cell_type", *names)
    written = (
        [name, *(f"{value:.6f}" for value in row)] for name, row in zip(TYPES, 1e4 * shares, strict=True)
    )
    write_table(folder / "profiles.csv", header, written)


def gene_names() -> list[str]:
    """Genes of the types, others, and mitochondrial ones."""
    marks = [f"{kind.split()[0].upper()}{n}" for kind in TYPES for n in range(MARKERS_A_TYPE)]
    others = [f"GENE{n}" for n in range(N_GENES - N_MITO - len(marks))]
    return [*marks, *others, *(f"MT-{n}" for n in range(N_MITO))]


def profiles() -> Float64:
    """Types x genes: shares of a living cell's transcripts."""
    level = 0.2 + 3.0 * uniform(SEED, np.arange(N_GENES)) ** 3
    made = np.tile(level, (len(TYPES), 1))
    for kind in range(len(TYPES)):
        own = slice(kind * MARKERS_A_TYPE, (kind + 1) * MARKERS_A_TYPE)
        made[:, own] *= 0.15
        made[kind, own] *= 40.0
    made[:, -N_MITO:] = made.mean() * 1.5
    shares: Float64 = made / made.sum(axis=1, keepdims=True)
    return shares


def draw(number: int, sample: _Sample, shares: Float64) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """Counts (cells x genes), the type of each cell, that of the second cell of doublets (else -1), whether it dies."""
    cells = np.arange(N_CELLS)
    effect = 1.0 + 0.25 * np.clip(normal(SEED + 1, sample.batch, np.arange(N_GENES)), -2, 2)
    seen = shares * effect
    seen /= seen.sum(axis=1, keepdims=True)
    bounds = np.cumsum(_mixture(number, sample.condition))
    kinds = np.minimum(np.searchsorted(bounds, uniform(SEED + 2, number, cells)), len(TYPES) - 1)
    other = np.minimum(np.searchsorted(bounds, uniform(SEED + 3, number, cells)), len(TYPES) - 1)
    second = np.where(uniform(SEED + 4, number, cells) < DOUBLETS, other, -1)
    dying = (uniform(SEED + 5, number, cells) < DYING) & (second < 0)
    counts = np.zeros((N_CELLS, N_GENES), dtype=np.int64)
    for cell in cells:
        parts = [kinds[cell], *([second[cell]] if second[cell] >= 0 else [])]
        for turn, kind in enumerate(parts):
            share = seen[kind].copy()
            if dying[cell]:
                share[-N_MITO:] *= 12.0
            depth = int(500 + 700 * uniform(SEED + 6 + turn, number, cell)) // (3 if dying[cell] else 1)
            place = uniform(SEED + 10 + turn, number, cell, np.arange(depth))
            at = np.searchsorted(np.cumsum(share / share.sum()), place)
            counts[cell] += np.bincount(np.minimum(at, N_GENES - 1), minlength=N_GENES)
    return counts, kinds, second, dying


def _mixture(number: int, condition: str) -> Float64:
    """Shares of the types, a little other in each sample."""
    varied = np.array(MIX[condition]) * (0.8 + 0.4 * uniform(SEED + 20, number, np.arange(len(TYPES))))
    mixture: Float64 = varied / varied.sum()
    return mixture


def _barcode(number: int, cell: int) -> str:
    letters = []
    code = number * 100_003 + cell * 7 + 12_345
    for _ in range(12):
        letters.append("ACGT"[code % 4])
        code = code // 4 + (code % 4) * 65_537
    return "".join(letters)


def _write_folder(folder: Path, counts: Ints, names: list[str], barcodes: list[str], *, new: bool) -> None:
    """A 10x matrix folder, of Cell Ranger 3 (but not gzipped) or 2."""
    folder.mkdir(parents=True)
    kind = "\tGene Expression" if new else ""
    features = "".join(f"ENSX{n:05d}\t{name}{kind}\n" for n, name in enumerate(names))
    (folder / ("features.tsv" if new else "genes.tsv")).write_text(features, newline="\n")
    (folder / "barcodes.tsv").write_text("".join(f"{barcode}\n" for barcode in barcodes), newline="\n")
    cell, gene = np.nonzero(counts)
    head = f"%%MatrixMarket matrix coordinate integer general\n{len(names)} {len(barcodes)} {len(cell)}\n"
    lines = (f"{g + 1} {c + 1} {counts[c, g]}\n" for c, g in zip(cell.tolist(), gene.tolist(), strict=True))
    (folder / "matrix.mtx").write_text(head + "".join(lines), newline="\n")
