"""The page of a thousand slides says what the planner says."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned import PLATE, SLIDE, plan_of

from isthmus.launch.site import machine_of_site
from isthmus.plan.model import RunPlan

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")


def sums_of(plan: RunPlan) -> dict[str, float]:
    rules = plan.rules.values()
    return {
        "jobs": sum(rule.jobs for rule in rules),
        "cpu_hours": sum(rule.cpu_hours for rule in rules),
        "core_hours": sum(rule.core_hours for rule in rules),
        "files": sum(rule.files for rule in rules),
        "gb": sum(rule.storage_mb for rule in rules) / 1e3,
    }


@pytest.fixture(scope="module")
def slide() -> RunPlan:
    return plan_of(SLIDE, machine=machine_of_site("lumi_c"))


def test_rows_of_the_table_are_those_of_the_plan(slide: RunPlan) -> None:
    rows = [line.strip("|\n ").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(rows) == 7
    for row in rows:
        needs = slide.rules[row[0].strip("`")]
        assert row[1:] == [
            str(needs.jobs),
            str(needs.workers),
            f"{needs.memory_mb:,}",
            str(needs.minutes),
            f"{needs.cpu_hours:.2f}",
            f"{needs.core_hours:.2f}",
            f"{needs.files:,}",
            f"{needs.storage_mb / 1e3:.1f}",
        ]
    others = [needs for rule, needs in slide.rules.items() if f"| `{rule}` |" not in PAGE]
    assert f"| {len(others)} others | {sum(needs.jobs for needs in others)} | " in PAGE


def test_sums_of_a_slide_are_those_of_the_plan(slide: RunPlan) -> None:
    of = sums_of(slide)
    most = max(rule.memory_mb for rule in slide.rules.values())
    hours = f"{of['cpu_hours']:.1f} | {of['core_hours']:.1f}"
    assert f"| all | {of['jobs']} | | {most:,} | | {hours} | {of['files']:,} | {of['gb']:.1f} |" in PAGE
    site = machine_of_site("lumi_c")
    assert site.max_files is not None
    assert site.max_storage_gb is not None
    assert f"**{site.max_files // int(of['files'])} slides** at a time" in PAGE
    assert f"{int(site.max_storage_gb / of['gb'])} slides at a time" in PAGE


def test_a_plate_is_planned_as_the_page_says() -> None:
    of = sums_of(plan_of(PLATE, machine=machine_of_site("lumi_c"), preset="culture"))
    said = f"{of['jobs']} jobs, {of['core_hours']:.0f} core-hours, {of['files']:,} files and folders, {of['gb']:.0f} GB"
    assert said in " ".join(PAGE.split())
