"""What the page says of the run itself: its numbers, what it used, and what it left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.plan.prediction import Prediction
from isthmus.report.colours import UNASSIGNED
from isthmus.report.gather import Record, RunResults, SampleResults
from isthmus.report.sections_sample import assigned
from isthmus.report.text import DASH, count, duration, megabytes, number, share
from isthmus.report.words import words_of


@dataclass(frozen=True)
class Tile:
    """A number up front."""

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class SampleRow:
    """A sample in the table of samples; None where there is no number."""

    name: str
    n_cells: int | None
    n_passed: int | None
    assigned: str
    median_counts: float | None
    median_genes: float | None
    vendor: Record


@dataclass(frozen=True)
class Summary:
    """The run in numbers."""

    tiles: list[Tile]
    samples: list[SampleRow]
    untested: list[tuple[str, str]]
    has_counts: bool
    has_transcripts: bool


@dataclass(frozen=True)
class RuleUse:
    """All jobs of one rule; memory is that of the largest job. planned is None where the plan lacks the rule."""

    rule: str
    jobs: int
    attempts: int
    cpu_s: float
    wall_s: float
    max_rss_mb: float
    files: int
    planned: Prediction | None

    @property
    def planned_cpu_s(self) -> float | None:
        """CPU seconds that the plan foresaw."""
        return self.planned.cpu_hours * 3600 if self.planned else None

    @property
    def planned_mb(self) -> int | None:
        """Memory that the plan foresaw."""
        return self.planned.memory_mb if self.planned else None


@dataclass(frozen=True)
class Use:
    """What the run used, rules in the order in which they ended."""

    rules: list[RuleUse]
    cpu_s: float
    wall_s: float
    files: int
    max_rss_mb: float
    most_mb: float

    @property
    def longest_s(self) -> float:
        """CPU time of the longest rule, used or planned."""
        return max((max(use.cpu_s, use.planned_cpu_s or 0.0) for use in self.rules), default=0.0) or 1.0

    @property
    def planned_cpu_s(self) -> float:
        """CPU time that was planned for the rules of the table."""
        return sum(use.planned_cpu_s or 0.0 for use in self.rules)


def summary(run: RunResults) -> Summary:
    """Numbers up front."""
    rows = [_sample_row(sample) for sample in run.samples]
    return Summary(
        tiles=_tiles(run),
        samples=rows,
        untested=[(s.name, s.plan.reader) for s in run.samples if not s.plan.tested_on_real_files],
        has_counts=any(_is_counted(sample) for sample in run.samples),
        has_transcripts=any(sample.transcripts for sample in run.samples),
    )


def _tiles(run: RunResults) -> list[Tile]:
    # What is there to be compared is the same tissue a second time.
    once = [sample for sample in run.samples if sample.name not in run.plan.compared()]
    qualities = [sample.quality for sample in once if sample.quality]
    tiles = []
    if qualities:
        n, passed = sum(q["cells"] for q in qualities), sum(q["passed"] for q in qualities)
        told = f"{count(passed)} passed quality control ({share(passed, n)})"
        tiles.append(Tile(count(n), words_of(run.plan).rows, told))
    if run.plan.has_spots:
        nuclei = sum(len(sample.cells.obs) for sample in once if sample.cells is not None)
        tiles.append(Tile(count(nuclei), "nuclei", "found in the pictures of the sections"))
    tallies = [assigned(sample.transcripts) for sample in once if sample.transcripts]
    if tallies:
        inside, everything = sum(t[0] for t in tallies), sum(t[1] for t in tallies)
        tiles.append(
            Tile(
                share(inside, everything),
                "of transcripts in cells",
                f"{count(inside)} of {count(everything)}",
            )
        )
    if run.cohort is not None and len(run.cohort.obs):
        tiles += _medians(run)
    n, imaged = len(once), [sample for sample in once if sample.plan.has_image]
    told = (
        f"{number(sum(_area_mm2(sample) for sample in imaged))} mm² imaged"
        if imaged
        else "of dissociated cells"
    )
    tiles.append(Tile(count(n), "sample" if n == 1 else "samples", told))
    used = resources_section(run)
    if used.rules:
        tiles.append(Tile(duration(used.cpu_s), "of CPU time", f"largest job {megabytes(used.max_rss_mb)}"))
    return tiles


def _medians(run: RunResults) -> list[Tile]:
    assert run.cohort is not None
    obs, words = run.cohort.obs, words_of(run.plan)
    tiles = []
    if any(_is_counted(sample) for sample in run.samples):
        for column, label in (
            ("n_counts", f"transcripts per {words.row}"),
            ("n_genes", f"genes per {words.row}"),
        ):
            if column in obs:
                low, middle, high = np.quantile(obs[column], (0.25, 0.5, 0.75))
                tiles.append(
                    Tile(number(middle), f"median {label}", f"quartiles {number(low)} to {number(high)}")
                )
    if "cell_type" in obs:
        names = obs["cell_type"].astype(str)
        n, rest = names[names != UNASSIGNED].nunique(), int((names == UNASSIGNED).sum())
        tiles.append(
            Tile(
                count(n),
                "cell type" if n == 1 else "cell types",
                f"{share(rest, len(names))} of {words.rows} unassigned",
            )
        )
    if "leiden" in obs:
        n = obs["leiden"].nunique()
        tiles.append(Tile(count(n), "cluster" if n == 1 else "clusters", f"of similar {words.values}"))
    return tiles


def _sample_row(sample: SampleResults) -> SampleRow:
    quality, transcripts = sample.quality, sample.transcripts
    after: dict[str, Any] = {}
    if quality and quality["passed"]:
        after = {name: metric["after"]["median"] for name, metric in quality["metrics"].items()}
    has_points = _is_counted(sample)
    return SampleRow(
        name=sample.name,
        n_cells=quality["cells"] if quality else None,
        n_passed=quality["passed"] if quality else None,
        assigned=share(*assigned(transcripts)) if transcripts else DASH,
        median_counts=after.get("n_counts") if has_points else None,
        median_genes=after.get("n_genes") if has_points else None,
        vendor=(transcripts or {}).get("vendor") or {},
    )


def _is_counted(sample: SampleResults) -> bool:
    """Whether molecules were counted in the rows that go to the cohort."""
    plan = sample.plan
    return plan.has_points or plan.has_spots or not plan.has_image


def _area_mm2(sample: SampleResults) -> float:
    n_pixels = sum(n * shape[1] * shape[2] for n, shape in sample.plan.stack.runs)
    return n_pixels * sample.plan.window_affine.pixel_area_um2 / 1e6


def resources_section(run: RunResults) -> Use:
    """Use by rule: of each job the last time that it ended well; attempts say how often it began."""
    last: dict[tuple[str, str, str], Record] = {}
    for row in run.resources:
        if row["status"] == "done":
            last[row["rule"], row["sample"], row["pack"]] = row
    rules = [
        _rule_use(run, name, [row for row in last.values() if row["rule"] == name])
        for name in dict.fromkeys(row["rule"] for row in last.values())
    ]
    return Use(
        rules=rules,
        cpu_s=sum(use.cpu_s for use in rules),
        wall_s=sum(use.wall_s for use in rules),
        files=sum(use.files for use in rules),
        max_rss_mb=max((use.max_rss_mb for use in rules), default=0.0),
        most_mb=max((max(use.max_rss_mb, use.planned_mb or 0) for use in rules), default=1.0),
    )


def _rule_use(run: RunResults, name: str, rows: list[Record]) -> RuleUse:
    planned = run.plan.rules.get(name)
    return RuleUse(
        rule=name,
        jobs=len(rows),
        attempts=max(row["attempt"] for row in rows),
        cpu_s=sum(row["cpu_s"] for row in rows),
        wall_s=sum(row["wall_s"] for row in rows),
        max_rss_mb=max(row["max_rss_mb"] for row in rows),
        files=sum(row["files"] for row in rows),
        planned=planned,
    )


def files_section(run: RunResults) -> list[tuple[str, str, int | None]]:
    """(path below the results folder, what it is, bytes); folders have no size. Only what is there."""
    root = run.paths.root
    known: list[tuple[Path, str]] = [
        (
            run.paths.cohort_table,
            f"{words_of(run.plan).rows} that passed quality control, all samples, with clusters and types (AnnData)",
        ),
        (run.paths.pseudobulk, "counts added up by sample and type (AnnData)"),
        (run.paths.composition, "shares of the types, compared between conditions"),
        (run.paths.structures, "how far cells of each type lie from structures that were drawn"),
    ]
    known += _omics_files(run)
    for sample in run.samples:
        paths = sample.paths
        known += [
            (paths.image, "image, OME-Zarr 0.5, with labels/nuclei and labels/cells inside"),
            (paths.table, "every cell of the sample, quality marked (AnnData)"),
            (paths.spots, "every spot of the sample, quality marked (AnnData)"),
            (
                paths.spots,
                "every spot of the sample with its counts, nuclei and stains, quality marked (AnnData)",
            ),
            (
                paths.wells,
                "profiles of the wells: medians, effects of the plate taken out, distance from the controls",
            ),
            (paths.modalities, "the same cells as one table a modality (MuData)"),
            (paths.outlines, f"outlines of {_count(sample.n_outlines)}cells in micrometres (GeoParquet)"),
            (paths.transcripts, "every transcript with its cell (Parquet)"),
            (paths.seams, "windows across seams, compared with what they give without cuts"),
        ]
    known += [
        (run.paths.resources, "time, memory and files of every job"),
        (run.paths.plan, "settings, samples and what was planned"),
        (run.paths.logs, "logs of the jobs"),
        (run.paths.work, "intermediates; safe to delete when the run is complete"),
    ]
    return [(_name(path, root), what, _size(path)) for path, what in _present(known)]


def _omics_files(run: RunResults) -> list[tuple[Path, str]]:
    """What joining other omics has left."""
    tables = run.plan.settings["analysis"]["omics"]
    return [
        *((run.paths.omics_table(of["name"]), f"{of['name']}, by {of['key']} (AnnData)") for of in tables),
        *(
            (run.paths.modalities(unit), f"all that is known of each {unit}, a table a modality (MuData)")
            for unit in ("sample", "well")
        ),
        (run.paths.correlations, "image features and molecules, correlated over samples"),
    ]


def _count(n: int | None) -> str:
    return "" if n is None else f"{n:,} "


def _present(known: Iterable[tuple[Path, str]]) -> Iterable[tuple[Path, str]]:
    return ((path, what) for path, what in known if path.exists())


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() + ("/" if path.is_dir() else "")


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
