"""A month's paper exercise: `PYTHONPATH=workflow:tests python -P -m bench.scaling [SITE] [SLIDES]`.

What the plan says of slides of 100,000 x 100,000 pixels, four channels and 100 million transcripts on a site: one run
of each, then all of them, and what breaks first. No pixel is made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import prod

from planned import SLIDE, plan_of
from rich.console import Console

from isthmus.cli.plan_text import plan_lines, plan_table
from isthmus.launch.site import machine_of_site
from isthmus.plan.limits import check_limits
from isthmus.plan.machine import Machine
from isthmus.plan.model import RunPlan
from isthmus.plan.rules import POOLED


def most_in_one_run(machine: Machine, most: int) -> tuple[int, str]:
    """How many slides one run takes before a limit is broken, and which."""
    fits, breaks, first = 0, most + 1, ""
    while breaks - fits > 1:
        tried = (fits + breaks) // 2
        broken = check_limits(plan_of(SLIDE, machine=machine, n=tried))
        if broken:
            breaks, first = tried, str(broken[0])
        else:
            fits = tried
    return fits, first


def month(plan: RunPlan, machine: Machine, slides: int) -> Iterator[str]:
    """All slides, a run each: sums, how long the jobs take with what may run at once, and what the storage holds."""
    rules = plan.rules.values()
    jobs, files = sum(rule.jobs for rule in rules), sum(rule.files for rule in rules)
    core_hours, cpu_hours = sum(rule.core_hours for rule in rules), sum(rule.cpu_hours for rule in rules)
    gb = sum(rule.storage_mb for rule in rules) / 1e3
    yield f"{slides:,} slides, a run each: {slides * jobs:,} jobs"
    yield f"{slides * core_hours:,.0f} core-hours billed, {slides * cpu_hours:,.0f} of them work"
    yield f"{slides * files:,} files and folders, {slides * gb / 1e3:,.1f} TB with intermediates"
    raw_gb = 2 * prod(SLIDE.header.shape) / 1e9
    yield f"{slides * raw_gb / 1e3:,.0f} TB of pixels to read once"
    at_once = machine.max_jobs_running or 1
    hours = {name: rule.jobs * rule.minutes / 60 for name, rule in plan.rules.items()}
    whole = sum(hours[name] for name in POOLED)
    yield f"whole-node jobs: {slides * whole / at_once:,.1f} hours with {at_once} at once"
    yield f"light jobs: {slides * (sum(hours.values()) - whole) / at_once:,.1f} hours with {at_once} at once"
    if machine.max_files is not None:
        yield f"the storage takes the files of {machine.max_files // files:,} slides"
    if machine.max_storage_gb is not None:
        yield f"and holds the results and intermediates of {int(machine.max_storage_gb / gb):,}"


def main(site: str, slides: int) -> None:
    """Print it all."""
    machine = machine_of_site(site)
    plan = plan_of(SLIDE, machine=machine)
    Console(width=140).print(plan_table(plan))
    fits, first = most_in_one_run(machine, slides)
    lines = [*plan_lines(plan), *month(plan, machine, slides)]
    lines.append(
        f"one run takes {fits} slides; with one more: {first}" if first else f"one run takes all {slides}"
    )
    for line in lines:
        print(line)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "lumi_c", int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
