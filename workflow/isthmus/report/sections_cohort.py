"""What the page says of all samples together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from isthmus.report.charts import Segment
from isthmus.report.colours import UNASSIGNED
from isthmus.report.gather import Cells, RunResults
from isthmus.report.groups import Groups, make_groups
from isthmus.report.scatter import Scatter, draw_scatter

TOP_GENES = 10
TOP_PAIRS = 12
MARKER_COLUMNS = ("gene", "score", "logfoldchange")


@dataclass(frozen=True)
class TypeRow:
    """A cell type: how many cells, how sure, in which samples."""

    name: str
    colour: str
    n_cells: int
    confidence: float | None
    by_sample: list[int]


@dataclass(frozen=True)
class ClusterRow:
    """A cluster: its cells, its commonest types, its best marker genes (gene, score, log2 fold change)."""

    name: str
    colour: str
    n_cells: int
    types: list[tuple[str, float]]
    genes: list[tuple[str, float, float]]


@dataclass(frozen=True)
class Neighbourhood:
    """Enrichment between names; values are z-scores."""

    names: list[str]
    values: dict[tuple[str, str], float]
    told: dict[tuple[str, str], str]
    limit: float
    pairs: list[tuple[str, str, int, float, float]]


@dataclass(frozen=True)
class Map:
    """A map of expression and what its colours are."""

    title: str
    scatter: Scatter
    legend: list[tuple[str, str, int]]


@dataclass(frozen=True)
class CohortSection:
    """Everything of all samples together, as the template takes it."""

    n_cells: int
    colours: Groups | None
    types: list[TypeRow]
    unassigned: int
    bars: dict[str, list[Segment]]
    maps: list[Map]
    clusters: list[ClusterRow]
    neighbourhood: Neighbourhood | None
    sample_names: list[str]


def cohort_section(run: RunResults) -> CohortSection:
    """Draw and describe the cohort."""
    cells = run.cohort
    names = list(run.plan.samples)
    if cells is None:
        return CohortSection(0, None, [], 0, {}, [], [], None, names)
    types = make_groups(cells, "cell_type", "cell type")
    clusters = make_groups(cells, "leiden", "cluster")
    return CohortSection(
        n_cells=len(cells.obs),
        colours=types or clusters,
        types=_type_rows(cells, types, names) if types else [],
        unassigned=int((cells.obs["cell_type"].astype(str) == UNASSIGNED).sum()) if types else 0,
        bars=_bars(types or clusters, names),
        maps=_maps(cells, types, clusters),
        clusters=_cluster_rows(cells, clusters, run.markers, has_types=types is not None) if clusters else [],
        neighbourhood=_neighbourhood(run.neighbourhood, types or clusters),
        sample_names=names,
    )


def _type_rows(cells: Cells, types: Groups, samples: list[str]) -> list[TypeRow]:
    confidence = pd.Series(cells.obs.get("cell_type_confidence", np.nan), index=cells.obs.index, dtype=float)
    of_cell = types.of_cell.to_numpy()
    rows = []
    for name, colour, n_cells in types.legend():
        sure = float(np.median(confidence.to_numpy()[of_cell == name]))
        by_sample = [int(types.sizes(sample)[types.names.index(name)]) for sample in samples]
        rows.append(TypeRow(name, colour, n_cells, sure if np.isfinite(sure) else None, by_sample))
    return rows


def _bars(groups: Groups | None, samples: list[str]) -> dict[str, list[Segment]]:
    """A bar a sample, parts in the order of the whole cohort's legend."""
    if groups is None:
        return {}
    order = groups.legend()
    found = {}
    for sample in samples:
        sizes = groups.sizes(sample)
        found[sample] = [
            Segment(name, int(sizes[groups.names.index(name)]), colour) for name, colour, _ in order
        ]
    return found


def _maps(cells: Cells, types: Groups | None, clusters: Groups | None) -> list[Map]:
    if cells.umap is None:
        return []
    shown = [groups for groups in (types, clusters) if groups is not None]
    if cells.obs["sample"].nunique() > 1:
        by_sample = make_groups(cells, "sample", "sample")
        shown += [by_sample] if by_sample else []
    return [
        Map(groups.title, draw_scatter(cells.umap, groups.of_cell, groups.colours), groups.legend())
        for groups in shown
    ]


def _cluster_rows(
    cells: Cells, clusters: Groups, markers: pd.DataFrame | None, *, has_types: bool
) -> list[ClusterRow]:
    rows = []
    for i, name in enumerate(clusters.names):
        mine = clusters.cells["group"].to_numpy() == i
        types: list[tuple[str, float]] = []
        if has_types and mine.any():
            shares = cells.obs["cell_type"][mine].astype(str).value_counts(normalize=True)
            types = [(str(kind), float(part)) for kind, part in shares.head(3).items() if part >= 0.05]
        best = pd.DataFrame()
        if markers is not None:
            higher = (markers["cluster"] == name) & (markers["logfoldchange"].astype(float) > 0)
            best = markers[higher].head(TOP_GENES)
        genes = list(zip(*(best[name].tolist() for name in MARKER_COLUMNS), strict=True)) if len(best) else []
        rows.append(ClusterRow(name, clusters.colours[name], int(mine.sum()), types, genes))
    return rows


def _neighbourhood(table: pd.DataFrame | None, groups: Groups | None) -> Neighbourhood | None:
    if table is None:
        return None
    present = set(table["type_a"])
    order = [name for name, _, _ in groups.legend()] if groups else []
    names = [name for name in order if name in present] or sorted(present)
    if len(names) < 2:
        return None
    values, told, pairs = {}, {}, []
    columns = ("type_a", "type_b", "observed", "expected", "z_score")
    for a, b, observed, expected, z in zip(*(table[name].tolist() for name in columns), strict=True):
        values[a, b] = z
        told[a, b] = f"{observed} pairs, {expected:.1f} expected by chance, z = {z:.1f}"
        if a in names and b in names and names.index(a) <= names.index(b):
            pairs.append((a, b, observed, expected, z))
    strongest = sorted(pairs, key=lambda pair: -abs(pair[4]))[:TOP_PAIRS]
    # One very tight pair must not wash out all others: the scale ends at the 95th percentile.
    limit = max(3.0, float(np.quantile(np.abs(list(values.values())), 0.95)))
    return Neighbourhood(names, values, told, limit, strongest)
