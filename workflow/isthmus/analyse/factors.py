"""Factors that several modalities of the same samples share: MOFA (DOI 10.1186/s13059-020-02015-1), by mofapy2.

Only here is mofapy2 (LGPL) imported. A factor model always finds factors; which of them say more than chance is told
by models of the same data in which the samples of each modality are shuffled for themselves.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.analyse.omics import standardise

Floats = NDArray[np.float64]

LEAST_SHARE = 0.01
"""Of the variance of some modality: what a factor must explain to be kept."""
LEAST_VALUES = 0.5
"""Share of samples in which a feature must have a value to be used."""
MOST_FEATURES = 2000
"""Of a modality: the most variable ones are used."""
_ITERATIONS = 500


@dataclass(frozen=True)
class Factors:
    """A factor model.

    scores
        Samples x factors, `F1`, `F2`, ... by decreasing variance that they explain.
    loadings
        By modality, features x factors; only the features that were used.
    explained
        Modalities x factors, share of the modality's variance.
    shared
        For each factor the second largest of these shares: what it explains in at least two modalities.
    limit
        What `shared` reaches in one of 20 models of shuffled data (with 19 permutations), by chance; NaN where none was
        made.
    """

    scores: pd.DataFrame
    loadings: dict[str, pd.DataFrame]
    explained: pd.DataFrame
    shared: pd.Series[float]
    limit: float


def find_factors(
    modalities: Mapping[str, pd.DataFrame], *, n_factors: int, n_permutations: int, seed: int
) -> Factors | None:
    """Fit a factor model to the samples that are in at least two modalities.

    Parameters
    ----------
    modalities
        Samples x features by name; NaN where there is no value. Features are standardised here.
    n_factors
        Factors to begin with, at most a third of the samples.
    n_permutations
        Models of shuffled data.

    Returns
    -------
    None where fewer than two modalities have features that vary.
    """
    views = usable_views(modalities)
    if len(views) < 2:
        return None
    samples = next(iter(views.values())).index
    values = [view.to_numpy() for view in views.values()]
    most = max(1, min(n_factors, len(samples) // 3))
    scores, weights, explained = _fit(values, most, seed)
    order = np.argsort(-explained.sum(axis=0), kind="stable")
    order = order[explained[:, order].max(axis=0) >= LEAST_SHARE]
    names = [f"F{k}" for k in range(1, order.size + 1)]
    shares = pd.DataFrame(explained[:, order], index=list(views), columns=names)
    # A factor and its loadings may change sign together: the largest loading of the first modality is positive.
    sign = np.array([1.0 if w[np.argmax(np.abs(w))] >= 0 else -1.0 for w in weights[0][:, order].T])
    return Factors(
        scores=pd.DataFrame(scores[:, order] * sign, index=samples, columns=names),
        loadings={
            name: pd.DataFrame(weight[:, order] * sign, index=view.columns, columns=names)
            for (name, view), weight in zip(views.items(), weights, strict=True)
        },
        explained=shares,
        shared=pd.Series(_shared(explained[:, order]), index=names, dtype=np.float64),
        limit=_limit(values, most, n_permutations, seed),
    )


def usable_views(modalities: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Standardised features that vary and have values in enough samples, over samples that two modalities have.

    Samples that a modality lacks have NaN there: the model does without them.
    """
    names = list(dict.fromkeys(name for view in modalities.values() for name in view.index))
    has = {name: sum(name in view.index for view in modalities.values()) for name in names}
    samples = [name for name in names if has[name] >= 2]
    views = {}
    for name, view in modalities.items():
        here = view.reindex(samples)
        values = here.to_numpy(np.float64)
        enough = np.isfinite(values).mean(axis=0) >= LEAST_VALUES if samples else np.zeros(0, bool)
        spread = np.nanstd(np.where(enough, values, 0.0), axis=0) if samples else np.zeros(0)
        kept = np.flatnonzero(enough & (spread > 0))
        if kept.size > MOST_FEATURES:
            kept = np.sort(kept[np.argsort(-spread[kept], kind="stable")[:MOST_FEATURES]])
        if kept.size:
            views[name] = pd.DataFrame(standardise(values[:, kept]), samples, here.columns[kept])
    return views


def _limit(values: list[Floats], n_factors: int, n_permutations: int, seed: int) -> float:
    if not n_permutations:
        return float("nan")
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_permutations):
        shuffled = [view[rng.permutation(len(view))] for view in values]
        found.append(_shared(_fit(shuffled, n_factors, seed)[2]).max())
    # The largest of 19 is passed by chance in one of 20.
    return float(np.sort(found)[-max(1, (n_permutations + 1) // 20)])


def _shared(explained: Floats) -> Floats:
    """The second largest share of each factor; explained is (modalities, factors)."""
    return np.sort(explained, axis=0)[-2] if explained.shape[1] else np.zeros(0)


def _fit(values: list[Floats], n_factors: int, seed: int) -> tuple[Floats, list[Floats], Floats]:
    """Scores (samples, factors), weights (features, factors) of each modality, explained (modalities, factors)."""
    # Here, because it takes a second to load and only this needs it.
    from mofapy2.run.entry_point import entry_point

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        model = entry_point()
        model.set_data_options(scale_views=True)
        model.set_data_matrix(
            [[view.copy()] for view in values],
            likelihoods=["gaussian"] * len(values),
            views_names=[f"view{k}" for k in range(len(values))],
            groups_names=["all"],
            samples_names=[[str(k) for k in range(len(values[0]))]],
        )
        model.set_model_options(factors=n_factors, spikeslab_weights=False, ard_weights=True)
        model.set_train_options(
            iter=_ITERATIONS, convergence_mode="fast", dropR2=None, seed=seed, verbose=False, quiet=True
        )
        model.build()
        model.run()
        nodes = model.model.nodes
        scores = np.asarray(nodes["Z"].getExpectations()["E"], np.float64)
        weights = [np.asarray(of["E"], np.float64) for of in nodes["W"].getExpectations()]
        explained = np.asarray(model.model.calculate_variance_explained()[0], np.float64)
    return scores, weights, np.maximum(explained, 0.0)
