"""What killed jobs have left beside results goes; results, and files of users, stay."""

from __future__ import annotations

from pathlib import Path

from planned import SLIDE, plan_of

from isthmus.analyse.files import _write_whole
from isthmus.launch.sweep import sweep
from isthmus.plan.paths import RunPaths

LEFT = (
    "a/partial.4711.cells.h5mu",
    "a/partial.cells.parquet",
    "a/partial.transcripts.parquet",
    "a/.seams.json.4711",
    "cohort/.cells.h5ad.x7q_2.part",
    "cohort/partial.12.samples.h5mu",
    "metrics/resources.partial",
    "metrics/.published.json.5",
    ".report.html.99",
    ".plan.json.3",
    ".isthmus-1a2b",
)
STAYS = (
    "a/cells.h5ad",
    "a/cells.parquet",
    "a/notes.part",
    "a/partial",
    "a/image.ome.zarr/partial.x",
    "cohort/cells.h5ad",
    "report.html",
    "plan.json",
    ".gitignore",
    "other/partial.cells.parquet",
    "work/a/partial.histograms.npz",
)


def test_unfinished_files_go_and_others_stay(tmp_path: Path) -> None:
    for name in (*LEFT, *STAYS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    plan, paths = plan_of(SLIDE), RunPaths(tmp_path)
    assert sweep(plan, paths) == len(LEFT)
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert there == set(STAYS)
    assert sweep(plan, paths) == 0


def test_the_name_that_a_table_of_the_cohort_has_before_it_is_whole_is_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    seen: list[int] = []

    def write(part: Path) -> None:
        part.write_text("half")
        seen.append(sweep(plan_of(SLIDE), RunPaths(tmp_path)))
        part.write_text("whole")

    _write_whole(tmp_path / "cohort" / "cells.h5ad", write)
    assert seen == [1]


def test_results_that_are_not_there_hold_nothing(tmp_path: Path) -> None:
    assert sweep(plan_of(SLIDE), RunPaths(tmp_path / "out")) == 0
