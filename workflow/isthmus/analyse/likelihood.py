"""How probable a cell's counts are under each reference profile.

Model: the counts of a cell are Dirichlet-multinomial (overdispersed multinomial) about a mixture

    q = (1 - BACKGROUND) * profile * platform + BACKGROUND * mean of all cells

where `platform` is one factor a gene for how much better this assay sees it than the reference's assay did.
Mixture with a background as in Insitutype (doi:10.1101/2022.10.19.512902), platform factors from the sum of
all cells as in RCTD (doi:10.1038/s41587-021-00830-w). The constants were calibrated on held-out atlases:
docs/annotation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import gammaln

from isthmus.analyse.reference import Reference

Floats = NDArray[np.float64]

# Share of a cell's transcripts that come from its neighbours or lie in it by chance.
BACKGROUND = 0.3
# Concentration of the Dirichlet: the smaller, the more cells of one type differ among themselves.
CONCENTRATION = 100.0
# Transcripts that count as prior evidence that a platform factor is 1 and the background that of the
# reference.
PRIOR_COUNTS = 5000.0
PLATFORM_LIMIT = 20.0
# How far to go towards the factor seen, on the logarithmic scale. Not all the way, because a gene may also be
# seen more often than expected because of cells that the reference lacks.
PLATFORM_WEIGHT = 0.5
PLATFORM_ROUNDS = 2
# A gene that no profile has may still be seen.
SMALLEST_SHARE = 1e-6


# Platform factors are learned from at most so many cells, drawn evenly, so that memory does not grow with the cohort.
LEARNED_FROM = 100_000


@dataclass(frozen=True)
class Assay:
    """How one assay sees the profiles of a reference.

    platform
        Genes: how much better this assay sees each than the reference's did.
    mixture
        Profiles x genes: expected shares of a cell's counts; rows sum to 1.
    """

    platform: Floats
    mixture: Floats

    def log_likelihood(self, counts: sparse.csr_matrix) -> Floats:
        """Log-likelihood of each cell's counts under each profile (cells x profiles), up to a constant a cell."""
        return _Occurrences(counts).score(self.mixture)


def learn_assay(counts: sparse.csr_matrix, reference: Reference) -> Assay:
    """Estimate platform factors and background from all cells together.

    Parameters
    ----------
    counts
        Cells x genes, integer counts; the genes are those of the reference, in its order.
    reference
        Profiles over those genes.
    """
    total = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    background = total + PRIOR_COUNTS * reference.mean_share
    background /= background.sum()
    if counts.shape[0] > LEARNED_FROM:
        counts = counts[np.linspace(0, counts.shape[0] - 1, LEARNED_FROM).astype(np.int64)]
        total = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    weights = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    occurrences = _Occurrences(counts)
    platform = np.ones(total.size)
    for _ in range(PLATFORM_ROUNDS):
        scores = occurrences.score(_mixture(reference.shares, platform, background))
        platform = _platform_factors(scores, weights, total, reference.shares)
    return Assay(platform, _mixture(reference.shares, platform, background))


def profile_log_likelihood(counts: sparse.csr_matrix, reference: Reference) -> Floats:
    """Log-likelihood of each cell's counts under each profile (cells x profiles), up to a constant for each cell."""
    return learn_assay(counts, reference).log_likelihood(counts)


def _mixture(shares: Floats, platform: Floats, background: Floats) -> Floats:
    profile = shares * platform
    profile /= profile.sum(axis=1, keepdims=True)
    mixed = (1 - BACKGROUND) * profile + BACKGROUND * background + SMALLEST_SHARE
    normalised: Floats = mixed / mixed.sum(axis=1, keepdims=True)
    return normalised


def _platform_factors(scores: Floats, weights: Floats, total: Floats, shares: Floats) -> Floats:
    """Per gene: transcripts seen over transcripts expected from the profiles that the cells resemble."""
    resemblance = np.exp(scores - scores.max(axis=1, keepdims=True))
    resemblance /= resemblance.sum(axis=1, keepdims=True)
    expected = (resemblance * weights[:, None]).sum(axis=0) @ shares
    prior = PRIOR_COUNTS / total.size
    ratio = np.clip((total + prior) / (expected + prior), 1 / PLATFORM_LIMIT, PLATFORM_LIMIT)
    factors: Floats = ratio**PLATFORM_WEIGHT
    return factors


class _Occurrences:
    """Counts as occurrences of (gene, count), so that each log-gamma is computed once and not once a cell."""

    def __init__(self, counts: sparse.csr_matrix) -> None:
        entries = counts.tocoo()
        keep = entries.data > 0
        cells, genes = entries.row[keep], entries.col[keep].astype(np.int64)
        numbers = entries.data[keep].astype(np.int64)
        base = int(numbers.max(initial=0)) + 1
        kinds, which = np.unique(genes * base + numbers, return_inverse=True)
        self.genes = kinds // base
        self.numbers = (kinds % base).astype(np.float64)
        self.table = sparse.csr_matrix(
            (np.ones(which.size), (cells, which)), shape=(counts.shape[0], kinds.size)
        )

    def score(self, mixture: Floats) -> Floats:
        """Cells x profiles: Dirichlet-multinomial log-likelihood up to a constant for each cell."""
        prior = CONCENTRATION * mixture[:, self.genes].T
        gain = gammaln(prior + self.numbers[:, None]) - gammaln(prior)
        scores: Floats = np.asarray(self.table @ gain)
        return scores
