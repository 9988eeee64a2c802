"""What the page says of where cells lie: niches, types met at a distance, spatial genes, structures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from isthmus.report.charts import Segment
from isthmus.report.gather import RunResults
from isthmus.report.sections_cohort import CohortSection

TOP_PAIRS = 12
TOP_GENES = 20
ALPHA = 0.05
LEAST_PAIRS = 20
"""A ratio of fewer pairs is left out: chance alone makes it large."""
OTHERS = "#d5d9dd"


@dataclass(frozen=True)
class Near:
    """How far the cells of a type lie from a structure: quartiles, negative inside."""

    name: str
    colour: str
    n_cells: int
    n_inside: int
    quartiles_um: tuple[float, float, float]


@dataclass(frozen=True)
class Places:
    """Everything of where cells lie.

    niches are bars of what lies around the cells of each, rings the titles of the columns of `pairs`, pairs
    (type, type, ratio in each ring or None), genes (gene, Moran's I, z, adjusted p). structures are rows by class,
    legend tells the colours of the kinds.
    """

    niches: dict[str, list[Segment]]
    rings: list[str]
    pairs: list[tuple[str, str, list[float | None]]]
    genes: list[tuple[str, float, float, float]]
    n_genes: int
    n_significant: int
    structures: dict[str, list[Near]]
    legend: list[tuple[str, str, int]]


def places_section(run: RunResults, cohort: CohortSection) -> Places | None:
    """Niches, co-occurrence and spatial genes, as far as the run has them."""
    genes = run.spatial_genes
    genes = None if genes is None or genes.empty else genes
    if all(table is None for table in (run.niches, run.co_occurrence, genes, run.structures)):
        return None
    rings, pairs = _pairs(run.co_occurrence)
    return Places(
        niches=_niches(run.niches, cohort),
        rings=rings,
        pairs=pairs,
        genes=_genes(genes),
        n_genes=0 if genes is None else len(genes),
        n_significant=0 if genes is None else int((genes["p_adjusted"] < ALPHA).sum()),
        structures=_structures(run.structures, cohort),
        legend=cohort.colours.legend() if cohort.colours else [],
    )


def _niches(table: pd.DataFrame | None, cohort: CohortSection) -> dict[str, list[Segment]]:
    if table is None:
        return {}
    colours = cohort.colours.colours if cohort.colours else {}
    order = [name for name, _, _ in cohort.colours.legend()] if cohort.colours else []
    names = [name for name in order if name in table]
    return {
        f"{row['niche']} ({int(row['n_cells']):,})": [
            Segment(name, float(row[name]), colours.get(name, OTHERS)) for name in names
        ]
        for row in table.to_dict("records")
    }


def _structures(table: pd.DataFrame | None, cohort: CohortSection) -> dict[str, list[Near]]:
    """A row for all cells and each type, by structure."""
    if table is None:
        return {}
    colours = cohort.colours.colours if cohort.colours else {}
    found: dict[str, list[Near]] = {}
    for row in table.to_dict("records"):
        quartiles = tuple(float(row[f"{name}_um"]) for name in ("lower_quartile", "median", "upper_quartile"))
        near = Near(
            name=str(row["type"]),
            colour=colours.get(str(row["type"]), "transparent"),
            n_cells=int(row["n_cells"]),
            n_inside=int(row["n_inside"]),
            quartiles_um=(quartiles[0], quartiles[1], quartiles[2]),
        )
        found.setdefault(str(row["structure"]), []).append(near)
    return found


def _pairs(table: pd.DataFrame | None) -> tuple[list[str], list[tuple[str, str, list[float | None]]]]:
    """Pairs whose nearest ring differs most from chance, each pair once."""
    if table is None or table.empty:
        return [], []
    rings = sorted({(float(a), float(b)) for a, b in zip(table["from_um"], table["to_um"], strict=True)})
    ratios = {
        (str(row["type_a"]), str(row["type_b"]), float(row["to_um"])): (
            int(row["n_pairs"]),
            float(row["ratio"]),
        )
        for row in table.to_dict("records")
    }
    nearest = rings[0][1]
    seen = [
        (a, b, ratio)
        for (a, b, to_um), (n, ratio) in ratios.items()
        if to_um == nearest and a <= b and n >= LEAST_PAIRS and math.isfinite(ratio) and ratio > 0
    ]
    strongest = sorted(seen, key=lambda pair: (-abs(math.log(pair[2])), pair[:2]))[:TOP_PAIRS]
    titles = [f"{low:g} to {high:g} µm" for low, high in rings]
    rows = [(a, b, [_finite(ratios[a, b, high][1]) for _, high in rings]) for a, b, _ in strongest]
    return titles, rows


def _genes(table: pd.DataFrame | None) -> list[tuple[str, float, float, float]]:
    if table is None:
        return []
    columns = ("gene", "morans_i", "z_score", "p_adjusted")
    best = table[table["p_adjusted"] < ALPHA].head(TOP_GENES)
    return list(zip(*(best[name].tolist() for name in columns), strict=True))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
