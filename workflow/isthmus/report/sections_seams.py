"""What the page says of the seam certificate of one sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from isthmus.report.gather import SampleResults
from isthmus.report.text import DASH, TIMES, count, joined

_REASONS = {
    "instance_too_large": "an instance in them is too large to be computed in one piece",
    "read_too_large": "the method needs a border around them that is too large to be computed in one piece",
}


@dataclass(frozen=True)
class SeamsSection:
    """The verdict in one line and whether it is good, how it was reached, and a row a window: place, cells, pixels."""

    good: bool
    verdict: str
    details: tuple[str, ...]
    windows: list[tuple[str, int, int]]


def seams_section(sample: SampleResults) -> SeamsSection | None:
    """The certificate; None where there is none yet."""
    record = sample.seams
    if record is None:
        return None
    axes = str(record["axes"])
    windows = [
        (_place(window["box_px"], axes, window.get("image")), window["cells"], window["differing_pixels"])
        for window in record["windows"]
    ]
    return SeamsSection(
        good=record["differing_pixels"] == 0 and (bool(windows) or not _has_seams(sample)),
        verdict=_verdict(
            record["differing_pixels"],
            [row for row in windows if row[2]],
            len(windows),
            has_seams=_has_seams(sample),
        ),
        details=tuple(_details(sample, len(windows))),
        windows=windows,
    )


def _verdict(
    differing: int, wrong: Sequence[tuple[str, int, int]], n_windows: int, *, has_seams: bool
) -> str:
    if differing:
        where = joined([place for place, _, _ in wrong])
        return (
            f"{count(differing)} pixels at seams are not what the image gives without cuts ({where})."
            " The label images and everything measured with them must not be used."
        )
    if not has_seams:
        return "There are no seams."
    if not n_windows:
        return "No window was compared. Nothing is certified."
    return (
        f"No pixel differs in {count(n_windows)} windows across seams that were computed again without cuts."
    )


def _details(sample: SampleResults, n_windows: int) -> list[str]:
    record = sample.seams or {}
    size = f" {TIMES} ".join(count(n) for n in reversed(sample.plan.block_px[-len(record["axes"]) :]))
    details = [str(record["statement"])]
    if _has_seams(sample):
        what = f"{count(sample.plan.n_images)} images were" if sample.plan.images else "image was"
        details.append(
            f"The {what} cut into {count(sample.plan.n_blocks)} blocks of {size} pixels;"
            f" {count(record['cells_at_seams'])} cells touch a seam."
        )
    if n_windows:
        details.append(f"The windows were drawn at random from the seed {record['seed']}.")
    reasons = Counter(window["reason"] for window in record["skipped"])
    details += [
        f"Drawn, but not compared, because {_REASONS[reason]}: {count(n)}."
        for reason, n in sorted(reasons.items())
    ]
    return details


def _has_seams(sample: SampleResults) -> bool:
    return sample.plan.n_blocks > sample.plan.n_images


def _place(box: Sequence[int], axes: str, image: str | None) -> str:
    """X 10-266, y 0-256: along each axis the first pixel and that past the last; of many images, which it is."""
    half = len(axes)
    parts = [f"{axis} {box[i]}{DASH}{box[half + i]}" for i, axis in enumerate(axes)]
    return ", ".join([*([f"image {image}"] if image else []), *reversed(parts)])
