"""What the page calls the rows and columns of a run's tables: cells or spots, genes, markers or measures."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.config.use_cases import USE_CASES
from isthmus.plan.model import RunPlan


@dataclass(frozen=True)
class Words:
    """Names of things on the page.

    row, rows
        What a row of the cohort is.
    features
        What its columns are.
    values
        What near points of a map have in common.
    map_title, clusters_title, markers_title
        Headings.
    """

    row: str
    rows: str
    features: str
    values: str
    map_title: str
    clusters_title: str
    markers_title: str


_BY_VALUES = {
    "counts": ("genes", "expression", "Expression", "Clusters and marker genes", "Markers"),
    "intensities": ("markers", "intensities", "Map of intensities", "Clusters and their markers", "Markers"),
    "profiles": ("measures", "measures", "Map of measures", "Clusters and what marks them", "Measures"),
}


def words_of(plan: RunPlan) -> Words:
    """The words for a run: molecules of an array were counted in spots, whatever the cells of its pictures are."""
    row = "spot" if plan.has_spots else "cell"
    return Words(row, f"{row}s", *_BY_VALUES[USE_CASES[plan.settings["use_case"]].x])
