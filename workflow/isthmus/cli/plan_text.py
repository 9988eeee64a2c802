"""A plan on the terminal: a table of the rules, the samples, and the limits that it would break."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from isthmus.errors import n_of
from isthmus.plan.limits import check_limits, unknown_limits
from isthmus.plan.machine import Machine
from isthmus.plan.model import RunPlan, SamplePlan
from isthmus.plan.queues import is_with_packs
from isthmus.plan.rules import POOLED

_MOST_SAMPLES = 12
_MB_PER_GB = 1000.0
_LEAST_USED = 0.25


def plan_table(plan: RunPlan) -> Table:
    """Every rule's jobs, and below them the sums."""
    table = Table(box=None, pad_edge=False)
    titles = ("jobs", "workers", "memory MB", "minutes", "CPU hours", "core-hours", "files", "storage GB")
    table.add_column("rule")
    for title in titles:
        table.add_column(title, justify="right")
    for name, rule in plan.rules.items():
        if rule.jobs:
            table.add_row(
                name,
                f"{rule.jobs:,}",
                str(rule.workers),
                f"{rule.memory_mb:,}",
                f"{rule.minutes:,}",
                f"{rule.cpu_hours:,.2f}",
                f"{rule.core_hours:,.2f}",
                f"{rule.files:,}",
                f"{rule.storage_mb / _MB_PER_GB:,.2f}",
            )
    rules = [rule for rule in plan.rules.values() if rule.jobs]
    table.add_section()
    table.add_row(
        "total",
        f"{sum(rule.jobs for rule in rules):,}",
        "",
        f"{max((rule.memory_mb for rule in rules), default=0):,}",
        "",
        f"{sum(rule.cpu_hours for rule in rules):,.2f}",
        f"{sum(rule.core_hours for rule in rules):,.2f}",
        f"{sum(rule.files for rule in rules):,}",
        f"{sum(rule.storage_mb for rule in rules) / _MB_PER_GB:,.2f}",
    )
    return table


def plan_lines(plan: RunPlan) -> Iterator[str]:
    """What the numbers rest on, and the limits that are broken."""
    for name, sample in list(plan.samples.items())[:_MOST_SAMPLES]:
        yield f"{name}: {_sample_line(sample)}"
    if len(plan.samples) > _MOST_SAMPLES:
        yield f"... and {n_of(len(plan.samples) - _MOST_SAMPLES, 'more sample')}"
    yield _machine_line(plan.machine)
    if any(sample.has_points and sample.n_transcripts is None for sample in plan.samples.values()):
        yield "unknown: how many transcripts there are; time and memory for them are not counted"
    yield from _idle_line(plan)
    unknown = unknown_limits(plan.machine)
    if unknown:
        yield f"unknown limits of {plan.machine.name}: {', '.join(unknown)}"
    broken = check_limits(plan)
    for limit in broken:
        yield f"limit broken: {limit}"
    if not broken:
        yield "no known limit is broken"


def _idle_line(plan: RunPlan) -> Iterator[str]:
    """Whole nodes are billed however short a job is."""
    pooled = [plan.rules[rule] for rule in POOLED if rule in plan.rules and is_with_packs(plan.machine, rule)]
    billed, worked = sum(rule.core_hours for rule in pooled), sum(rule.cpu_hours for rule in pooled)
    if plan.machine.billed_cores is not None and worked < _LEAST_USED * billed:
        share = f"{worked / billed:.0%}"
        yield f"note: {share} of what whole nodes are billed for is work; a profile that shares nodes would cost less"


def _sample_line(sample: SamplePlan) -> str:
    if not sample.has_image:
        return f"{sample.reader} without an image, about {sample.n_instances:,} cells"
    blocks = n_of(sample.n_blocks, "block")
    images = f"{sample.n_images:,} images, " if sample.n_images > 1 else ""
    shape = " x ".join(map(str, sample.block_px if sample.grid.shape[0] > 1 else sample.block_px[1:]))
    expected = f"about {sample.n_instances:,} cells expected"
    if sample.n_vendor_cells and sample.n_instances == sample.n_vendor_cells:
        expected = f"{sample.n_instances:,} cells, as the vendor found"
    return f"{images}{blocks} of {shape} pixels in {n_of(sample.packs, 'pack')}, {expected}"


def _machine_line(machine: Machine) -> str:
    memory = f", {machine.memory_mb:,} MB" if machine.memory_mb is not None else ""
    billed = f", {machine.billed_cores} billed" if machine.billed_cores is not None else ""
    return f"for {machine.name}: {n_of(machine.cores, 'core')} a job{billed}{memory}"
