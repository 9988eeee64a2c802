"""How far a run is and how long it will take, from the plan and the jobs' histories."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace

from isthmus.launch.jobs import JobState, State, count_blocks, job_states
from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths
from isthmus.plan.rules import IN_PACKS


@dataclass(frozen=True)
class RuleProgress:
    """Jobs and blocks of one rule; blocks are 0 for rules that do not run in packs."""

    rule: str
    n_jobs: int
    n_done: int
    n_running: int
    n_failed: int
    n_blocks: int
    n_blocks_done: int


@dataclass(frozen=True)
class Progress:
    """The state of a run.

    share
        Part of the planned work that is done, 0 to 1.
    left_s
        Estimated seconds left; None while there is nothing to estimate from.
    """

    jobs: list[JobState]
    rules: list[RuleProgress]
    share: float
    left_s: float | None

    @property
    def n_done(self) -> int:
        """Jobs done."""
        return sum(job.state is State.DONE for job in self.jobs)


class ProgressReader:
    """Reads the progress of a run again and again; the estimate is made from what was done since `began`.

    `again` names jobs that are to be made again: what they did before does not count.
    """

    def __init__(self, plan: RunPlan, paths: RunPaths, began: float, *, again: Collection[str] = ()) -> None:
        self._plan, self._paths, self._began, self._again = plan, paths, began, frozenset(again)
        self._share_at_start: float | None = None

    def read(self) -> Progress:
        """The state now."""
        jobs = [self._anew(job) for job in job_states(self._plan, self._paths, since=self._began)]
        blocks = {job.name: self._blocks(job) for job in jobs if job.rule in IN_PACKS}
        rules = [self._rule(rule, jobs, blocks) for rule in dict.fromkeys(job.rule for job in jobs)]
        share = self._share(jobs, blocks)
        if self._share_at_start is None:
            self._share_at_start = share
        return Progress(jobs, rules, share, self._left(share))

    def _anew(self, job: JobState) -> JobState:
        """A job to be made again waits until it is."""
        old = job.state is State.DONE and job.note.get("time", 0) < self._began
        return replace(job, state=State.WAITING) if old and job.name in self._again else job

    def _blocks(self, job: JobState) -> tuple[int, int]:
        """(blocks done, blocks) of a pack."""
        n = len(self._plan.sample(job.sample).blocks_of(job.pack))
        if job.state is State.DONE:
            return n, n
        done = count_blocks(self._paths, job, self._plan.digest(job.rule, job.sample))
        return min(done, n), n

    def _rule(self, rule: str, jobs: list[JobState], blocks: dict[str, tuple[int, int]]) -> RuleProgress:
        mine = [job for job in jobs if job.rule == rule]
        counted = [blocks[job.name] for job in mine if job.name in blocks]
        return RuleProgress(
            rule,
            len(mine),
            sum(job.state is State.DONE for job in mine),
            sum(job.state is State.RUNNING for job in mine),
            sum(job.state is State.FAILED for job in mine),
            sum(n for _, n in counted),
            sum(done for done, _ in counted),
        )

    def _share(self, jobs: list[JobState], blocks: dict[str, tuple[int, int]]) -> float:
        total = done = 0.0
        for job in jobs:
            rule = self._plan.rules[job.rule]
            weight = rule.core_hours / max(1, rule.jobs) + 1e-6
            total += weight
            if job.state is State.DONE:
                done += weight
            elif job.name in blocks:
                done += weight * blocks[job.name][0] / max(1, blocks[job.name][1])
        return done / total if total else 1.0

    def _left(self, share: float) -> float | None:
        gained = share - (self._share_at_start or 0.0)
        if gained <= 0.02 or share >= 1:
            return None
        return (time.time() - self._began) * (1 - share) / gained


def in_words(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
