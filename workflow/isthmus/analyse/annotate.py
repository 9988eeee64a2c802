"""Cell types by comparison with reference profiles, with a confidence and an honest "unassigned".

Two questions are asked of each cell. Which type explains its counts best, and by how much: the posterior
probability of the type, `cell_type_confidence`. Does that type explain them well at all: the correlation
with its profile, `cell_type_fit`. A posterior alone cannot notice a type that the reference lacks.
docs/annotation.md has the evidence.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import logsumexp, softmax

from isthmus.analyse.likelihood import learn_assay
from isthmus.analyse.reference import UNASSIGNED, Reference
from isthmus.analyse.reference_cells import CellReference
from isthmus.analyse.reference_types import ONTOLOGY_COLUMN
from isthmus.analyse.threads import single_thread
from isthmus.analyse.transfer import Method, Transfer, learn_transfer
from isthmus.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Profiles of another laboratory are never quite right, and their errors add up with the number of
# transcripts where chance averages out. Log-likelihoods are therefore divided by TEMPERATURE *
# sqrt(transcripts), never by less than 1.
TEMPERATURE = 0.5
# log1p(share x this): about the number of transcripts of a cell, so that one transcript and none differ
# moderately.
LOG_SCALE = 100.0

# Numbers of transcripts for which the correlation that sampling alone allows is tabulated, and draws for
# each.
DEPTHS = np.array([3, 5, 8, 12, 20, 32, 50, 80, 125, 200, 320, 500, 1250, 5000])
DRAWS = 24
CELLS_AT_ONCE = 20_000


def annotate_cells(
    table: AnnData,
    reference: Reference,
    *,
    min_confidence: float = 0.5,
    min_fit: float = 0.5,
    where: str = "annotation",
) -> None:
    """Give each cell a type, in place.

    Adds to obs: `cell_type` (category: the reference's types, sorted, then 'unassigned'),
    `cell_type_confidence` and `cell_type_fit` (float64, 0 to 1) and `cell_type_best` (the best type whether
    or not it is good enough).

    Parameters
    ----------
    table
        Cells x genes, counts in layers['counts'].
    reference
        Profiles of the types; genes that are not in both are left out.
    min_confidence, min_fit
        A cell with less of either is 'unassigned'.
    where
        What to name in an error when table and reference share too few genes.
    """
    shared = reference.restricted_to([str(gene) for gene in table.var_names], where=where)
    columns = table.var_names.get_indexer(list(shared.genes))
    counts = sparse.csr_matrix(table.layers["counts"])[:, columns]
    assay = learn_assay(counts, shared)
    fit = _Fit(shared)

    def judge(part: sparse.csr_matrix) -> tuple[Floats, Floats]:
        depth = np.asarray(part.sum(axis=1), dtype=np.float64).ravel()
        posterior, profile = _posterior(assay.log_likelihood(part), shared, depth)
        return posterior, fit.of(part, profile)

    _name_cells(table, counts, shared.types, judge, min_confidence=min_confidence, min_fit=min_fit)


def transfer_types(
    table: AnnData,
    reference: CellReference,
    *,
    method: Method = "auto",
    min_confidence: float = 0.5,
    min_fit: float = 0.5,
    seed: int = 0,
    where: str = "annotation",
) -> Transfer:
    """Give each cell a type learned from cells of known types, in place; see `transfer`.

    Adds the columns of `annotate_cells`, and `cell_type_ontology_term_id` (category, 'unknown' where a cell is
    unassigned or its type has no id) where the reference has ids of the Cell Ontology.

    Returns
    -------
    What was learned.
    """
    profiles = Reference(reference.genes, tuple(reference.types), reference.profiles().shares)
    genes = profiles.restricted_to([str(gene) for gene in table.var_names], where=where).genes
    cells = reference.restricted_to(genes)
    total = np.asarray(cells.counts.sum(axis=1)).ravel()
    cells = cells.taken(np.flatnonzero(total > 0))
    lost = sorted(set(reference.types) - set(cells.types))
    if lost:
        raise UserError(
            where=where,
            found=f"no cell of type '{lost[0]}' has a count in the {len(genes)} genes in use",
            do="drop that type from the reference",
        )
    counts = sparse.csr_matrix(table.layers["counts"])[:, table.var_names.get_indexer(list(genes))]
    with single_thread():
        learned = learn_transfer(cells, counts, method=method, seed=seed)
        fit = _Fit(cells.profiles())

        def judge(part: sparse.csr_matrix) -> tuple[Floats, Floats]:
            posterior = np.exp(learned.log_probabilities(part))
            return posterior, fit.of(part, posterior.argmax(axis=1))

        _name_cells(table, counts, list(learned.types), judge, min_confidence=min_confidence, min_fit=min_fit)
    if reference.ontology:
        ids = table.obs["cell_type"].astype(str).map(reference.ontology).fillna("unknown")
        table.obs[ONTOLOGY_COLUMN] = ids.astype("category")
    return learned


def _name_cells(
    table: AnnData,
    counts: sparse.csr_matrix,
    types: list[str],
    judge: Callable[[sparse.csr_matrix], tuple[Floats, Floats]],
    *,
    min_confidence: float,
    min_fit: float,
) -> None:
    """Add the columns of types, some cells at a time; `judge` gives probabilities (cells x types) and fits of cells."""
    best = np.zeros(table.n_obs, dtype=np.int64)
    confidence, fit = np.zeros(table.n_obs), np.zeros(table.n_obs)
    for start in range(0, table.n_obs, CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        posterior, fit[part] = judge(counts[part])
        best[part], confidence[part] = posterior.argmax(axis=1), posterior.max(axis=1)
    empty = np.asarray(counts.sum(axis=1)).ravel() == 0
    confidence[empty] = 0.0
    good = ~empty & (confidence >= min_confidence) & (fit >= min_fit)
    names = np.array([*types, UNASSIGNED], dtype=object)
    nothing = len(types)
    table.obs["cell_type"] = pd.Categorical(names[np.where(good, best, nothing)], categories=list(names))
    table.obs["cell_type_confidence"] = confidence
    table.obs["cell_type_fit"] = fit
    table.obs["cell_type_best"] = pd.Categorical(
        names[np.where(empty, nothing, best)], categories=list(names)
    )


def _posterior(scores: Floats, reference: Reference, depth: Floats) -> tuple[Floats, Ints]:
    """Probability of each type (cells x types), and the best profile (row) of the best type of each cell.

    The likelihood of a type is the mean of those of its profiles: a type may look like any of its atlases,
    and having many of them is no advantage.
    """
    labels = np.array(reference.labels)
    by_type = np.column_stack(
        [
            logsumexp(scores[:, labels == name], axis=1) - np.log((labels == name).sum())
            for name in reference.types
        ]
    )
    temperature = np.maximum(TEMPERATURE * np.sqrt(depth), 1)[:, None]
    posterior: Floats = softmax(by_type / temperature, axis=1)
    chosen = np.array(reference.types)[posterior.argmax(axis=1)]
    own = np.where(labels[None, :] == chosen[:, None], scores, -np.inf)
    return posterior, own.argmax(axis=1)


class _Fit:
    """Correlation of cells with a profile, relative to what their number of transcripts allows; 0 to 1.

    Few transcripts make a low correlation even where the profile is perfect (attenuation). Dividing by the
    correlation expected from sampling alone makes cells with few and with many transcripts comparable.
    """

    def __init__(self, reference: Reference) -> None:
        self._logs = _standardised(np.log1p(LOG_SCALE * reference.shares))
        self._expected = _expected_correlation(reference.shares, self._logs)

    def of(self, counts: sparse.csr_matrix, profile: Ints) -> Floats:
        """The fit of each cell to its profile (a row of the reference)."""
        cells = counts.toarray().astype(np.float64)
        depth = cells.sum(axis=1)
        correlation = (_log_shares(cells) * self._logs[profile]).sum(axis=1)
        fit: Floats = np.clip(correlation / _interpolate(self._expected[profile], depth), 0, 1)
        return fit


def _expected_correlation(shares: Floats, logs: Floats) -> Floats:
    """Profiles x depths: mean correlation of cells drawn from a profile with that profile."""
    rng = np.random.default_rng(0)
    expected = np.empty((len(shares), len(DEPTHS)))
    for column, depth in enumerate(DEPTHS):
        drawn = np.stack([rng.multinomial(depth, share, size=DRAWS) for share in shares])
        correlation = (_log_shares(drawn.astype(np.float64)) * logs[:, None, :]).sum(axis=2)
        expected[:, column] = correlation.mean(axis=1)
    # More transcripts never allow less; also keeps the divisor off 0 for flat profiles.
    monotone: Floats = np.maximum.accumulate(np.maximum(expected, 0.05), axis=1)
    return monotone


def _interpolate(expected: Floats, depth: Floats) -> Floats:
    """Each cell's expected correlation at its own depth, linear in the logarithm of the depth."""
    at = np.interp(np.log(np.maximum(depth, 1)), np.log(DEPTHS), np.arange(len(DEPTHS)))
    low = np.minimum(at.astype(int), len(DEPTHS) - 2)
    cells = np.arange(len(depth))
    share = at - low
    value: Floats = expected[cells, low] * (1 - share) + expected[cells, low + 1] * share
    return value


def _log_shares(cells: Floats) -> Floats:
    total = np.maximum(cells.sum(axis=-1, keepdims=True), 1)
    return _standardised(np.log1p(LOG_SCALE * cells / total))


def _standardised(values: Floats) -> Floats:
    """Last axis with mean 0 and length 1, so that summed products are correlations; constants become 0."""
    centred = values - values.mean(axis=-1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    standard: Floats = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return standard
