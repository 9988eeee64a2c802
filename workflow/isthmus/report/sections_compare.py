"""What the page says of differences between samples: batches that mix or do not, conditions that differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from isthmus.report.gather import RunResults

MEASURES = {
    "batch_lisi": "Batches among near cells (LISI)",
    "accepted_share": "Cells whose surroundings have the batches of all cells (kBET)",
    "batch_asw": "Batches not apart within types (silhouette)",
    "type_lisi": "Types not mixed among near cells (LISI)",
    "type_asw": "Types apart (silhouette)",
    "neighbours_kept": "Nearest cells within a batch that stay",
}
SHARE = "share_"


@dataclass(frozen=True)
class Mixing:
    """How batches mix; rows are (what, 'mixing' or 'conservation', before, after or None)."""

    rows: list[tuple[str, str, float, float | None]]
    corrected: bool
    n_batches: int
    batch_column: str
    nested: bool


@dataclass(frozen=True)
class Composition:
    """Shares of the types by condition; rows are (type, cells, shares, p, adjusted p), untested ones None."""

    conditions: list[str]
    rows: list[tuple[str, int, list[float], float | None, float | None]]
    note: str
    tested: bool
    transform: str


def mixing_section(run: RunResults) -> Mixing | None:
    """The measures of integration, where there are two batches or more."""
    table, noted = run.mixing, run.notes.get("integration", {})
    if table is None or table.empty or run.cohort is None:
        return None
    rows = [
        (MEASURES.get(name, name), about, float(before), _known(after))
        for name, about, before, after in zip(
            *(table[column].tolist() for column in ("measure", "about", "before", "after")), strict=True
        )
        if math.isfinite(before)
    ]
    column = str(noted.get("batch_column", "sample"))
    return Mixing(
        rows=rows,
        corrected=bool(noted.get("done", False)),
        n_batches=int(noted.get("n_batches", 0)),
        batch_column=column,
        nested=_is_nested(run.cohort.obs, column),
    )


def _is_nested(obs: pd.DataFrame, column: str) -> bool:
    """Whether every batch is of one condition: then a correction may take the conditions' difference away as well."""
    if "condition" not in obs or column not in obs or obs["condition"].nunique() < 2:
        return False
    return bool((obs.groupby(column, observed=True)["condition"].nunique() <= 1).all())


def composition_section(run: RunResults) -> Composition | None:
    """Shares of the types by condition, most significant first, for two samples or more."""
    table = run.composition
    if table is None or len(run.samples) < 2:
        return None
    shares = [str(name) for name in table if str(name).startswith(SHARE)] or ["share"]
    ordered = table.sort_values(["p_value", "n_cells"], ascending=[True, False], kind="stable")
    rows = [
        (
            str(row["type"]),
            int(row["n_cells"]),
            [float(row[name]) for name in shares],
            _known(row["p_value"]),
            _known(row["p_adjusted"]),
        )
        for row in ordered.to_dict("records")
    ]
    noted = run.notes.get("composition", {})
    return Composition(
        conditions=[name.removeprefix(SHARE) if name != "share" else "all samples" for name in shares],
        rows=rows,
        note=str(noted.get("note", "")),
        tested=any(row[3] is not None for row in rows),
        transform=str(noted.get("transform", "arcsine")),
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
