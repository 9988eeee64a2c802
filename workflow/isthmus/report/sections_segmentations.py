"""What the page says of several segmentations of one image."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.report.gather import Record, RunResults
from isthmus.report.text import DASH, count, share


@dataclass(frozen=True)
class SegmentationsSection:
    """A row a sample: name, method and numbers; a row a comparison: what is the same and how alike."""

    samples: list[tuple[str, ...]]
    pairs: list[tuple[str, ...]]


def segmentations_section(run: RunResults) -> SegmentationsSection | None:
    """None where no image was segmented in several ways."""
    record = run.comparison
    if record is None:
        return None
    return SegmentationsSection(
        samples=[_sample(name, row) for name, row in record["samples"].items()],
        pairs=[_pair(row) for row in record["pairs"]],
    )


def _sample(name: str, row: Record) -> tuple[str, ...]:
    assigned = row["in_cells"] / row["transcripts"] if row["transcripts"] else None
    return (
        name,
        row["method"],
        count(row["cells"]),
        count(row["passed"]),
        _number(row["median_counts"], "{:g}"),
        _number(row["median_area_um2"], "{:.1f}"),
        _percent(assigned),
        _percent(row["negative_rate"]),
        _percent(row["double_positive"]),
    )


def _pair(row: Record) -> tuple[str, ...]:
    return (
        f"{row['with']} and {row['sample']}",
        count(row["same"]),
        count(row["only_there"]),
        count(row["only_here"]),
        _number(row["f1"], "{:.3f}"),
        _number(row["mean_iou"], "{:.3f}"),
        _number(row["correlation"], "{:.3f}"),
    )


def _percent(value: float | None) -> str:
    return DASH if value is None else share(value, 1.0)


def _number(value: float | None, form: str) -> str:
    return DASH if value is None else form.format(value)
