"""Cell types by comparison with reference profiles, with a confidence and an honest "unassigned".

Two questions are asked of each cell. Which type explains its counts best, and by how much: the posterior
probability of the type, `cell_type_confidence`. Does that type explain them well at all: the correlation
with its profile, `cell_type_fit`. A posterior alone cannot notice a type that the reference lacks.
docs/annotation.md has the evidence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import logsumexp, softmax

from isthmus.analyse.likelihood import profile_log_likelihood
from isthmus.analyse.reference import UNASSIGNED, Reference

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
CELLS_AT_ONCE = 50_000


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
    scores = profile_log_likelihood(counts, shared)
    depth = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    posterior, profile = _posterior(scores, shared, depth)
    fit = _fit(counts, shared, profile)
    best = posterior.argmax(axis=1)
    empty = depth == 0
    confidence = np.where(empty, 0.0, posterior.max(axis=1))
    good = ~empty & (confidence >= min_confidence) & (fit >= min_fit)
    types = shared.types
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


def _fit(counts: sparse.csr_matrix, reference: Reference, profile: Ints) -> Floats:
    """Correlation of each cell with its profile, relative to what its number of transcripts allows; 0 to 1.

    Few transcripts make a low correlation even where the profile is perfect (attenuation). Dividing by the
    correlation expected from sampling alone makes cells with few and with many transcripts comparable.
    """
    logs = _standardised(np.log1p(LOG_SCALE * reference.shares))
    expected = _expected_correlation(reference.shares, logs)
    fit = np.zeros(counts.shape[0])
    for start in range(0, counts.shape[0], CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        cells = counts[part].toarray().astype(np.float64)
        depth = cells.sum(axis=1)
        correlation = (_log_shares(cells) * logs[profile[part]]).sum(axis=1)
        allowed = _interpolate(expected[profile[part]], depth)
        fit[part] = np.clip(correlation / allowed, 0, 1)
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
