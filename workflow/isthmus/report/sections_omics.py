"""What the page says of other omics: how the tables fit the run, correlations, factors."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.report.gather import Record, RunResults

TOP_PAIRS = 20
TOP_FACTORS = 6
_SHARED = "{key}s of one {by} share its row, so nothing is tested over them"


@dataclass(frozen=True)
class OmicsRow:
    """One table; `notes` are sentences on what does not fit or cannot be used."""

    name: str
    file: str
    key: str
    rows: int
    molecules: int
    usable: int
    missing: float
    normalisation: str
    notes: list[str]


@dataclass(frozen=True)
class Pair:
    """One correlation."""

    feature: str
    molecule: str
    of: str
    n: int
    rho: float
    p_value: float
    p_adjusted: float
    found: bool


@dataclass(frozen=True)
class FactorRow:
    """One factor: what it explains of each modality, whether modalities share it beyond chance, strongest features."""

    name: str
    explained: list[tuple[str, float]]
    beyond_chance: bool | None
    best: list[tuple[str, list[tuple[str, float]]]]


@dataclass(frozen=True)
class UnitSection:
    """Joint analysis over samples, or over wells."""

    unit: str
    n_units: int
    modalities: list[tuple[str, int, int]]
    tested: int
    found: int
    alpha: float
    min_correlated: int
    pairs: list[Pair]
    factors: list[FactorRow]
    n_factored: int
    limit: float | None
    n_shuffled: int
    no_factors: str


@dataclass(frozen=True)
class OmicsSection:
    """Everything of other omics, as the template takes it."""

    tables: list[OmicsRow]
    units: list[UnitSection]


def omics_section(run: RunResults) -> OmicsSection | None:
    """Describe tables and joint analysis; None where there are no tables."""
    if run.omics is None:
        return None
    return OmicsSection(
        tables=[_row(table) for table in run.omics.tables],
        units=[_unit(run, unit, record) for unit, record in run.omics.units.items()],
    )


def _row(table: Record) -> OmicsRow:
    said = (
        ("without_row", f"{table['key']}s of this run without a row"),
        ("empty_rows", "rows without any value"),
        ("not_in_run", f"keys that are no {table['key']} of this run, left out"),
        ("too_often_missing", "molecules that lack too many values"),
        ("constant", "molecules that are the same everywhere"),
    )
    return OmicsRow(
        name=table["name"],
        file=table["file"],
        key=f"{table['key']}, by {table['by']}" if table.get("by") else table["key"],
        rows=table["rows"],
        molecules=table["molecules"],
        usable=table["usable"],
        missing=table["missing_share"],
        normalisation=table["normalisation"],
        notes=[
            *(_named(table[key], what) for key, what in said if table[key]["n"]),
            *([_SHARED.format(**table)] if table.get("by") else []),
        ],
    )


def _named(of: Record, what: str) -> str:
    more = ", ..." if of["n"] > len(of["first"]) else ""
    return f"{what}: {of['n']:,} ({', '.join(of['first'])}{more})"


def _unit(run: RunResults, unit: str, record: Record) -> UnitSection:
    factors = record["factors"] or {"rows": [], "n_units": 0, "limit": None, "n_shuffled": 0}
    return UnitSection(
        unit=unit,
        n_units=record["units"],
        modalities=[(name, *shape) for name, shape in record["modalities"].items()],
        tested=record["tested"],
        found=record["found"],
        alpha=record["alpha"],
        min_correlated=record["min_correlated"],
        pairs=_pairs(run, unit, record["alpha"]),
        factors=[_factor(row) for row in factors["rows"][:TOP_FACTORS]],
        n_factored=factors["n_units"],
        limit=factors["limit"],
        n_shuffled=factors["n_shuffled"],
        no_factors=record["no_factors"],
    )


def _pairs(run: RunResults, unit: str, alpha: float) -> list[Pair]:
    table = run.omics.correlations if run.omics else None
    if table is None:
        return []
    best = table[table["unit"] == unit].head(TOP_PAIRS)
    return [
        Pair(
            feature=row["feature"],
            molecule=row["molecule"],
            of=row["molecule_modality"],
            n=int(row["n"]),
            rho=float(row["rho"]),
            p_value=float(row["p_value"]),
            p_adjusted=float(row["p_adjusted"]),
            found=float(row["p_adjusted"]) <= alpha,
        )
        for row in best.to_dict("records")
    ]


def _factor(row: Record) -> FactorRow:
    return FactorRow(
        name=row["name"],
        explained=list(row["explained"].items()),
        beyond_chance=row["beyond_chance"],
        best=[(name, [(str(f), float(v)) for f, v in of]) for name, of in row["best"].items()],
    )
