"""What the page says of the quality of one sample's counts."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.report.gather import Record, SampleResults
from isthmus.report.text import DASH, count

_MOST_FIELDS = 12


@dataclass(frozen=True)
class CountsSection:
    """Measures (name, value, meaning), marker pairs, and the fields that stand out most."""

    measures: list[tuple[str, str, str]]
    pairs: list[tuple[str, str, str, str]]
    fields: list[tuple[str, str, str, str]]
    fields_told: str


def counts_section(sample: SampleResults) -> CountsSection | None:
    """None where counts were not measured."""
    record = (sample.quality or {}).get("counts")
    if not record:
        return None
    measures = [
        (
            "Transcripts outside cells",
            _percent(record["outside_cells"]),
            "Of the transcripts of genes of sufficient quality, those in no cell.",
        ),
        (
            "Negative controls",
            _percent(record["negative_rate"]),
            "Mean counts of a control in cells, as a share of those of a gene: what is noise.",
        ),
        (
            "Double positive",
            _percent(record["double_positive"]),
            "Cells with both genes of a pair that excludes itself, among cells with either: what leaks in.",
        ),
    ]
    return CountsSection(
        measures=[row for row in measures if row[1]],
        pairs=[_pair(row) for row in record["pairs"]],
        fields=[_field(row) for row in _most_conspicuous(record)],
        fields_told=_told(record),
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.1f} %"


def _pair(row: Record) -> tuple[str, str, str, str]:
    missing = row.get("missing")
    share = f"not in the panel: {', '.join(missing)}" if missing else _percent(row["share"]) or DASH
    return row["pair"].replace(":", " and "), count(row["either"]), count(row["both"]), share


def _field(row: Record) -> tuple[str, str, str, str]:
    return row["field"], count(row["n_cells"]), f"{row['median_counts']:g}", f"{row['z']:+.1f}"


def _most_conspicuous(record: Record) -> list[Record]:
    compared = [row for row in record["fields"] if row["z"] is not None]
    return sorted(compared, key=lambda row: -abs(row["z"]))[:_MOST_FIELDS]


def _told(record: Record) -> str:
    compared = [row for row in record["fields"] if row["z"] is not None]
    what = record["fields_are"].replace(" um", " µm")
    if not compared:
        return f"Too few {what} with enough cells to compare."
    n = len(record["conspicuous"])
    far = "none is" if n == 0 else "one is" if n == 1 else f"{n} are"
    return (
        f"Of {len(compared)} {what} with enough cells, {far} more than 3.5 robust deviations from the others."
    )
