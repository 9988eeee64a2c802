"""The jobs of a run and what has become of them, as their histories tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from isthmus.plan.history import read_notes
from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths
from isthmus.plan.rules import IN_PACKS, PER_PLATE, PER_RUN, PER_SAMPLE

_PUBLISHED = ("rule", "sample", "time", "digest", "files")


class State(Enum):
    """What has become of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class JobState:
    """One job of the plan; `note` is the last line of its history."""

    rule: str
    sample: str
    pack: str
    state: State
    note: dict[str, Any]

    @property
    def name(self) -> str:
        """Rule, sample and pack in one word."""
        return ".".join(part for part in (self.rule, self.sample, self.pack) if part)


def planned_jobs(plan: RunPlan) -> Iterator[tuple[str, str, str]]:
    """(rule, sample, pack) of every job of a run from nothing, in the order of the steps.

    A plan of an earlier version lacks the rules that there were not yet: they have no jobs.
    """
    for rule in (*PER_SAMPLE, *PER_PLATE):
        for sample, of in plan.samples.items():
            if rule not in plan.rules or rule not in of.digests:
                continue
            if rule == "import_transcripts" and not of.has_points:
                continue
            for pack in plan.packs(sample) if rule in IN_PACKS else [""]:
                yield rule, sample, pack
    for rule in PER_RUN:
        if rule in plan.rules and rule in plan.cohort:
            yield rule, "", ""


def job_states(plan: RunPlan, paths: RunPaths, *, since: float = 0.0) -> list[JobState]:
    """The state of every job; runs that began before `since` (seconds of the epoch) and did not end count as none."""
    published = published_jobs(paths)
    return [_state_of(plan, paths, published, since, *job) for job in planned_jobs(plan)]


def _state_of(
    plan: RunPlan,
    paths: RunPaths,
    published: dict[str, Any],
    since: float,
    rule: str,
    sample: str,
    pack: str,
) -> JobState:
    name = ".".join(part for part in (rule, sample, pack) if part)
    note = last_note(paths, name)
    if not note and name in published:  # its history went with work/
        note = {"status": "removed", "digest": published[name]["digest"]}
    state = State.WAITING
    if note:
        status, fresh = note.get("status"), note.get("time", 0) >= since
        # A result that was removed after a complete run had been made.
        if status in ("done", "removed") and note.get("digest") == plan.digest(rule, sample):
            state = State.DONE
        elif status == "running" and fresh:
            state = State.RUNNING
        elif status == "failed" and fresh:
            state = State.FAILED
    return JobState(rule, sample, pack, state, note)


def last_note(paths: RunPaths, name: str) -> dict[str, Any]:
    """The last whole line of a job's history; empty where there is none."""
    return next(read_notes(paths.jobs, name), {})


def published_jobs(paths: RunPaths) -> dict[str, Any]:
    """What is noted of published files, by job; empty where there is nothing, or nothing that can be read."""
    try:
        stat = paths.published.stat()
        return _read_published(paths.published, stat.st_mtime_ns, stat.st_ino)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


@lru_cache(maxsize=1)
def _read_published(file: Path, mtime_ns: int, inode: int) -> dict[str, Any]:
    jobs = json.loads(file.read_text())["jobs"]
    return {name: {key: job[key] for key in _PUBLISHED} for name, job in jobs.items()}


def count_blocks(paths: RunPaths, job: JobState, digest: str) -> int:
    """Blocks of a pack that its own journal holds under the present digest."""
    journal = paths.sample(job.sample).journal(job.rule) / f"{job.pack}.jsonl"
    try:
        text = journal.read_text(errors="replace")
    except OSError:
        return 0
    blocks = set()
    for line in text.splitlines():
        if f'"digest": "{digest}"' in line and line.endswith("}"):
            blocks.add(line.split(",", 1)[0])
    return len(blocks)
