"""Names that tables of transcripts use for the columns that Isthmus knows.

The one table of accepted spellings; docs/readers.md shows it. Where a table has several of them, the first
counts. Upper and lower case are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isthmus.errors import UserError, did_you_mean
from isthmus.image.source import POINT_COLUMNS

# `x_location` is Xenium; `global_x` MERSCOPE, whose plain `x` is in pixels of one field: hence the order.
ACCEPTED: dict[str, tuple[str, ...]] = {
    "x_um": ("x_location", "x_um", "global_x", "x"),
    "y_um": ("y_location", "y_um", "global_y", "y"),
    "z_um": ("z_location", "z_um", "z"),
    "gene": ("feature_name", "gene", "gene_name", "target", "feature"),
    "qv": ("qv", "quality_score"),
    "vendor_cell_id": ("vendor_cell_id", "cell_id", "cell"),
    "overlaps_nucleus": ("overlaps_nucleus",),
}
REQUIRED = ("x_um", "y_um", "gene")

# What vendors write for "in no cell": -1 (MERSCOPE, Xenium before 1.3), UNASSIGNED (Xenium later), 0 (CosMx).
NO_CELL = ("", "-1", "0", "UNASSIGNED")


@dataclass(frozen=True)
class ColumnMap:
    """Which column of a table holds what: our names, in the order of POINT_COLUMNS, to those of the table."""

    names: dict[str, str]

    @property
    def ours(self) -> tuple[str, ...]:
        """Our names of the columns that are there."""
        return tuple(self.names)

    @property
    def theirs(self) -> list[str]:
        """The table's names, in the same order."""
        return list(self.names.values())


def accepted_names(
    given: Mapping[str, str], vendor: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Names that stand for each of our columns: the user's own alone, else the vendor's, else all that are known."""
    return {**ACCEPTED, **(vendor or {}), **{ours: (theirs,) for ours, theirs in given.items()}}


def map_columns(
    found: Sequence[str], where: str, accepted: Mapping[str, tuple[str, ...]] = ACCEPTED
) -> ColumnMap:
    """Find our columns among those of a table; fails when one is missing that is required or that the user named."""
    by_lower = {name.lower(): name for name in reversed(found)}
    names: dict[str, str] = {}
    for ours in POINT_COLUMNS:
        match = next((by_lower[name] for name in map(str.lower, accepted[ours]) if name in by_lower), None)
        if match is not None:
            names[ours] = match
    needed = [
        ours for ours in POINT_COLUMNS if ours in REQUIRED or len(accepted[ours]) == 1 < len(ACCEPTED[ours])
    ]
    for ours in needed:
        if ours not in names:
            unknown = [column for column in found if column not in names.values()]
            raise _missing(ours, found, unknown, where, accepted[ours])
    return ColumnMap(names)


def _missing(
    ours: str, found: Sequence[str], unknown: Sequence[str], where: str, accepted: Sequence[str]
) -> UserError:
    guesses = [did_you_mean(name, filter(None, unknown)) for name in accepted]
    close = [guess for guess in guesses if guess.startswith("did you mean")]
    columns = ", ".join(name or "(no name)" for name in found)
    return UserError(
        where=where,
        found=f"no column for {ours} among {columns}",
        do=f"name one of them {' or '.join(accepted)}" + (f" ({close[0]})" if close else ""),
    )
