"""Which limits of a machine a plan would break, and what to change; and what to ask the scheduler for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from isthmus.plan.machine import Machine
from isthmus.plan.model import RunPlan
from isthmus.plan.prediction import Prediction
from isthmus.plan.queues import longest_minutes, memory_of
from isthmus.plan.rules import IN_PACKS, PER_RUN, POOLED

_ROOM_IN_TIME = 4
_ROOM_IN_MEMORY = 1.3
_SHORTEST_MIN = 10
_MB_PER_GB = 1000.0
_JOB_MB = 250
"""The scheduler counts the Snakemake of a job too: 140 MB measured."""
_LEAST_MB = 600
_FEWER = "run fewer samples at a time"

_LIMITS: Mapping[str, str] = {
    "memory_mb": "memory of a node",
    "max_minutes": "walltime of a job",
    "max_jobs_submitted": "jobs that may be submitted",
    "max_jobs_running": "jobs that may run at once",
    "max_files": "files",
    "max_storage_gb": "storage",
    "light_memory_mb": "memory for light jobs",
    "light_max_minutes": "walltime of light jobs",
}


@dataclass(frozen=True)
class Broken:
    """A limit that a plan would break: which, what is planned and what is allowed, and what to do."""

    limit: str
    found: str
    do: str

    def __str__(self) -> str:
        return f"{self.limit}: {self.found}; {self.do}"


def minutes_to_ask(prediction: Prediction) -> int:
    """Wall time to ask for: four times what is planned, for nodes differ and file systems have bad days."""
    return max(_SHORTEST_MIN, prediction.minutes * _ROOM_IN_TIME)


def memory_to_ask(prediction: Prediction, machine: Machine, rule: str, attempt: int = 1) -> int:
    """Memory to ask for: a third more than is planned, or what it may be at worst, but never more than there is.

    What runs the job comes on top; each further attempt asks for as much again.
    """
    step = max(ceil(prediction.memory_mb * _ROOM_IN_MEMORY), prediction.most_mb)
    asked = max(_LEAST_MB, step + _JOB_MB) * attempt
    most = memory_of(machine, rule)
    return asked if most is None else max(prediction.memory_mb, min(asked, most))


def check_limits(plan: RunPlan) -> list[Broken]:
    """Limits of the plan's machine that the run would break; none where it fits, as far as is known."""
    return [*_memory(plan), *_walltime(plan), *_submitted(plan), *_disk(plan)]


def unknown_limits(machine: Machine) -> list[str]:
    """Limits that nobody has said, in words."""
    return [words for name, words in _LIMITS.items() if name in machine.unknown]


def _memory(plan: RunPlan) -> Iterator[Broken]:
    for rule, needs in plan.rules.items():
        most = memory_of(plan.machine, rule)
        if most is None or needs.jobs == 0 or needs.memory_mb <= most:
            continue
        do = "take a profile of nodes with more memory"
        if rule in POOLED:  # its workers have been cut down to one before it comes to this
            do = "give a smaller execution.block_px"
        elif rule in PER_RUN and len(plan.samples) > 1:
            do = _FEWER
        yield Broken("memory", f"{rule} needs {needs.memory_mb} MB, {plan.machine.name} has {most} MB", do)


def _walltime(plan: RunPlan) -> Iterator[Broken]:
    machine = plan.machine
    for rule, needs in plan.rules.items():
        most = longest_minutes(machine, rule)
        asked = minutes_to_ask(needs)
        if most is None or needs.jobs == 0 or asked <= most:
            continue
        do = _FEWER if rule in PER_RUN and len(plan.samples) > 1 else "take a profile with longer jobs"
        if rule in IN_PACKS:
            packs = max(sample.packs for sample in plan.samples.values())
            do = f"set execution.packs to {ceil(packs * asked / most)}"
        yield Broken("walltime", f"{rule} asks for {asked} minutes, {machine.name} allows {most}", do)


def _submitted(plan: RunPlan) -> Iterator[Broken]:
    """A sample's packs are all ready at once; samples beyond the limit wait, which is no harm."""
    most = plan.machine.max_jobs_submitted
    packs = max((sample.packs for sample in plan.samples.values()), default=0)
    if most is not None and packs > most:
        found = f"{packs} packs are ready at once, {plan.machine.name} takes {most}"
        running = plan.machine.max_jobs_running
        yield Broken("submit limit", found, f"set execution.packs to {min(most, running or most)} at most")


def _disk(plan: RunPlan) -> Iterator[Broken]:
    machine = plan.machine
    files = sum(needs.files for needs in plan.rules.values())
    if machine.max_files is not None and files > machine.max_files:
        found = f"{files:,} files and folders, {machine.name} allows {machine.max_files:,}"
        yield Broken(
            "files", found, "set execution.block_px to a larger power of two, or run fewer samples at a time"
        )
    gb = sum(needs.storage_mb for needs in plan.rules.values()) / _MB_PER_GB
    if machine.max_storage_gb is not None and gb > machine.max_storage_gb:
        found = f"{gb:,.0f} GB with intermediates, {machine.name} allows {machine.max_storage_gb:,.0f} GB"
        yield Broken("storage", found, f"{_FEWER}, or put results elsewhere")
