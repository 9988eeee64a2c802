"""Label transfer judged on held-back cells of a reference, as they are and as a spatial assay sees them.

    PYTHONPATH=workflow python tests/transfer_evidence.py FOLDER_OF_spacexr_visium_ref

prints the tables of docs/annotation.md. Baselines: the commonest type, and the nearest mean profile on log1p shares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold

from isthmus.analyse.reference_cells import CellReference, read_cell_reference
from isthmus.analyse.threads import single_thread
from isthmus.analyse.transfer import learn_transfer

FOLDS = 5
METHODS = ("majority", "nearest mean", "likelihood", "logistic", "both", "auto")


@dataclass(frozen=True)
class Assay:
    """How a spatial assay sees a cell: some genes, few counts, platform factors (log-normal), transcripts of others."""

    n_genes: int
    depth: float
    platform_sd: float
    others: float


ASSAYS: dict[str, Assay | None] = {
    "as they are": None,
    "150 genes, 150 counts": Assay(150, 150, 0.3, 0.1),
    "100 genes, 60 counts": Assay(100, 60, 0.5, 0.2),
    "100 genes, 25 counts": Assay(100, 25, 0.5, 0.2),
}


def read_spacexr(folder: Path) -> CellReference:
    """Cells of mouse hippocampus: 17 types x 30 cells, 307 genes."""
    return read_cell_reference(folder / "counts.csv", types=folder / "cell_types.csv")


def seen_by(
    cells: CellReference, assay: Assay, rng: np.random.Generator
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Genes of the panel, and the counts (cells x genes) that the assay gives."""
    chosen = np.sort(rng.choice(len(cells.genes), assay.n_genes, replace=False))
    level = cells.counts[:, chosen].toarray() * np.exp(rng.normal(0, assay.platform_sd, assay.n_genes))
    mean = level.sum(axis=0) / level.sum()
    total = level.sum(axis=1, keepdims=True)
    own = np.divide(level, total, out=np.tile(mean, (len(level), 1)), where=total > 0)
    depth = np.maximum(rng.lognormal(np.log(assay.depth), 0.5, len(level)), 5).astype(int)
    mixed = (1 - assay.others) * own + assay.others * mean
    drawn = np.stack([rng.multinomial(n, share) for n, share in zip(depth, mixed, strict=True)])
    return tuple(cells.genes[index] for index in chosen), drawn


def folds(
    cells: CellReference, assay: Assay | None
) -> Iterator[tuple[CellReference, npt.NDArray[np.int64], npt.NDArray[np.str_]]]:
    """(what is known, counts of the held-back cells, their types) of each fold."""
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for number, (known, held) in enumerate(split.split(np.zeros(len(cells.labels)), cells.labels)):
        back = cells.taken(held)
        if assay is None:
            yield cells.taken(known), back.counts.toarray(), back.labels
        else:
            genes, counts = seen_by(back, assay, np.random.default_rng(number))
            yield cells.taken(known).restricted_to(genes), counts, back.labels


def named_by(method: str, known: CellReference, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.str_]:
    """The type of each cell by a method or a baseline; 'unassigned' is not used here."""
    types = np.array(known.types)
    if method == "majority":
        names, sizes = np.unique(known.labels, return_counts=True)
        return np.full(len(counts), names[sizes.argmax()])
    if method == "nearest mean":
        learned, asked = _logs(known.counts.toarray()), _logs(counts)
        means = np.stack([learned[known.labels == name].mean(axis=0) for name in types])
        return types[((asked[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)]
    table = sparse.csr_matrix(counts)
    with single_thread():
        learned_from = learn_transfer(known, table, method=method)  # type: ignore[arg-type]
        return types[learned_from.log_probabilities(table).argmax(axis=1)]


def _logs(counts: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    return np.log1p(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def judge(
    cells: CellReference, assay: Assay | None, methods: Sequence[str] = METHODS
) -> dict[str, tuple[float, float]]:
    """Accuracy and macro F1 of each method, means of the folds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for known, counts, truth in folds(cells, assay):
        for name in methods:
            named = named_by(name, known, counts)
            f1 = f1_score(truth, named, average="macro", labels=cells.types, zero_division=0)
            found[name].append((accuracy_score(truth, named), f1))
    return {name: tuple(np.mean(pairs, axis=0)) for name, pairs in found.items()}


def calibration(cells: CellReference, assay: Assay | None) -> tuple[float, float]:
    """Mean confidence of the chosen method and the share of cells that it names rightly."""
    sure, right = [], []
    for known, counts, truth in folds(cells, assay):
        table = sparse.csr_matrix(counts)
        with single_thread():
            found = np.exp(learn_transfer(known, table).log_probabilities(table))
        sure.append(found.max(axis=1).mean())
        right.append((np.array(known.types)[found.argmax(axis=1)] == truth).mean())
    return float(np.mean(sure)), float(np.mean(right))


def main(words: Sequence[str]) -> int:
    """The command."""
    cells = read_spacexr(Path(words[0]))
    for title, assay in ASSAYS.items():
        sys.stdout.write(f"== {title}\n")
        for name, (accuracy, f1) in judge(cells, assay).items():
            sys.stdout.write(f"{name:14} accuracy {accuracy:.3f}  macro F1 {f1:.3f}\n")
        sure, right = calibration(cells, assay)
        sys.stdout.write(f"confidence {sure:.3f}, right {right:.3f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
