"""Types of cells learned from a reference of single cells, by the method that serves this panel and depth best.

Three candidates: `likelihood` (counts under each type's summed profile, see `likelihood`), `logistic` (multinomial
logistic regression with ridge penalty on log1p(100 x share), scikit-learn, doi:10.48550/arXiv.1201.0490, each gene
weighted by its platform factor), and `both` (the product of their probabilities). Which of them is taken, and the
temperature that makes its probabilities honest (doi:10.48550/arXiv.1706.04599), is decided within the reference: folds
of its cells, held back, thinned to the depth of the cells that are to be annotated and seen through the same platform
factors. docs/annotation.md has the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from isthmus.analyse.likelihood import Assay, learn_assay
from isthmus.analyse.reference_cells import CellReference

Floats = NDArray[np.float64]
Method = Literal["auto", "likelihood", "logistic", "both"]

CANDIDATES = ("likelihood", "logistic", "both")
# Cells of a type that the regression learns from, and those that the choice is made on.
MOST_OF_TYPE = 300
FOLDS = 3
LOG_SCALE = 100.0
# Inverse of the ridge penalty. 0.03 to 1 differ by less than 0.02 in macro F1.
RIDGE_C = 0.1
MOST_ITERATIONS = 300
# Probabilities of the likelihood are as for profiles: docs/annotation.md.
TEMPERATURE = 0.5
TEMPERATURES = (0.2, 10.0)


@dataclass(frozen=True)
class Transfer:
    """What was learned.

    Attributes
    ----------
    types
        Names of the columns of the probabilities.
    method
        The candidate taken.
    scores
        Macro F1 of each candidate in the folds; empty where the method was given.
    temperature
        By which log-probabilities are divided.
    """

    types: tuple[str, ...]
    method: str
    scores: dict[str, float]
    temperature: float
    assay: Assay
    regression: Any

    def log_probabilities(self, counts: sparse.csr_matrix) -> Floats:
        """Cells x types, natural logarithms."""
        found = _log_probabilities(self.assay, self.regression, counts)[self.method]
        scaled: Floats = log_softmax(found / self.temperature, axis=1)
        return scaled


def learn_transfer(
    reference: CellReference, counts: sparse.csr_matrix, *, method: Method = "auto", seed: int = 0
) -> Transfer:
    """Learn from a reference how to name the types of cells.

    Parameters
    ----------
    reference
        Cells of known types over the genes of `counts`, in their order.
    counts
        Cells x genes: those that are to be named.
    method
        A candidate, or 'auto' to choose among them.
    seed
        Of folds, thinning and the choice of cells.
    """
    rng = np.random.default_rng(seed)
    some = reference.taken(_drawn(reference.labels, MOST_OF_TYPE, rng))
    assay = learn_assay(counts, reference.profiles())
    depth = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    depth = depth[depth > 0]
    held = _held_back(some, assay.platform, depth if len(depth) else np.ones(1), rng)
    scores = {name: _macro_f1(held[name], some) for name in CANDIDATES}
    chosen = (
        method
        if method != "auto"
        else max(CANDIDATES, key=lambda name: (round(scores[name], 6), name == "both"))
    )
    return Transfer(
        types=tuple(reference.types),
        method=chosen,
        scores=scores if method == "auto" else {},
        temperature=_temperature(held[chosen], some),
        assay=assay,
        regression=_fit_regression(some, assay.platform),
    )


def _drawn(labels: NDArray[np.str_], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of at most so many cells of each type, rising."""
    chosen = []
    for name in np.unique(labels):
        rows = np.flatnonzero(labels == name)
        chosen.append(rng.choice(rows, size=min(most, len(rows)), replace=False))
    return np.sort(np.concatenate(chosen))


def _held_back(
    reference: CellReference, platform: Floats, depth: Floats, rng: np.random.Generator
) -> dict[str, Floats]:
    """Log-probabilities of each cell of the reference from the others, seen as the assay would see it."""
    fold = np.empty(len(reference.labels), dtype=np.int64)
    for name in reference.types:
        rows = rng.permutation(np.flatnonzero(reference.labels == name))
        fold[rows] = np.arange(len(rows)) % FOLDS
    found = {name: np.empty((len(fold), len(reference.types))) for name in CANDIDATES}
    for number in range(FOLDS):
        rest, out = (np.flatnonzero(chosen) for chosen in (fold != number, fold == number))
        seen = _seen(reference.counts[out], platform, depth, rng)
        learned = reference.taken(rest)
        assay = learn_assay(seen, learned.profiles())
        parts = _log_probabilities(assay, _fit_regression(learned, assay.platform), seen)
        for name in CANDIDATES:
            found[name][out] = parts[name]
    return found


def _seen(
    counts: sparse.csr_matrix, platform: Floats, depth: Floats, rng: np.random.Generator
) -> sparse.csr_matrix:
    """Counts thinned so that genes keep the share the assay sees, and cells a depth drawn from `depth`; never more."""
    cells = counts.toarray().astype(np.int64)
    weighted = cells * platform
    wanted = rng.choice(depth, size=len(cells))
    total = np.maximum(weighted.sum(axis=1), 1e-9)
    kept = np.clip((wanted / total)[:, None] * platform, 0, 1)
    return sparse.csr_matrix(rng.binomial(cells, kept))


def _log_probabilities(assay: Assay, regression: Any, counts: sparse.csr_matrix) -> dict[str, Floats]:
    depth = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    temperature = np.maximum(TEMPERATURE * np.sqrt(depth), 1)[:, None]
    likelihood = log_softmax(assay.log_likelihood(counts) / temperature, axis=1)
    logistic = np.asarray(regression.predict_log_proba(_log_shares(counts.toarray())))
    logistic = np.maximum(logistic, -50.0)
    return {
        "likelihood": likelihood,
        "logistic": logistic,
        "both": log_softmax(likelihood + logistic, axis=1),
    }


def _fit_regression(reference: CellReference, platform: Floats) -> Any:
    from sklearn.linear_model import LogisticRegression

    weighted = reference.counts.toarray() * platform
    model = LogisticRegression(C=RIDGE_C, max_iter=MOST_ITERATIONS)
    return model.fit(_log_shares(weighted), reference.labels)


def _log_shares(counts: NDArray[Any]) -> Floats:
    values = counts.astype(np.float64)
    total = np.maximum(values.sum(axis=1, keepdims=True), 1e-9)
    logs: Floats = np.log1p(LOG_SCALE * values / total)
    return logs


def _macro_f1(log_probabilities: Floats, reference: CellReference) -> float:
    from sklearn.metrics import f1_score

    named = np.array(reference.types)[log_probabilities.argmax(axis=1)]
    return float(f1_score(reference.labels, named, average="macro"))


def _temperature(log_probabilities: Floats, reference: CellReference) -> float:
    """That under which the held-back cells' own types are most probable."""
    own = np.searchsorted(reference.types, reference.labels)
    rows = np.arange(len(own))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(log_probabilities / np.exp(log_temperature), axis=1)
        return -float(scaled[rows, own].mean())

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))
