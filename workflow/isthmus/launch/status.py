"""How far a run is, for whoever asks from outside: read from its files and from Slurm, nothing is written."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from isthmus.errors import n_of
from isthmus.launch.head import is_held
from isthmus.launch.heartbeat import silent_s
from isthmus.launch.jobs import JobState, State
from isthmus.launch.progress import Progress, ProgressReader, RuleProgress, in_words
from isthmus.plan.model import read_plan
from isthmus.plan.news import all_news
from isthmus.plan.paths import RunPaths
from isthmus.slurm.commands import NotAnswering, QueuedJob, queued_jobs
from isthmus.slurm.names import head_name, known_names

_MOST_NEWS = 5


@dataclass(frozen=True)
class Head:
    """The process that drives a run, as it noted itself: host and pid, seconds of the epoch, its own Slurm job if any.

    alive is what can be known of it: on another host a process is taken for alive unless its job has ended or, without
    one, it has given no sign for some minutes. silent_s: seconds since its last sign; None where it gives none.
    """

    alive: bool
    pid: int
    host: str
    since: float
    slurm_job: str = ""
    silent_s: float | None = None

    @property
    def is_here(self) -> bool:
        """Whether it was started on this host, so that what is said of it is sure."""
        return self.host == socket.gethostname()


@dataclass(frozen=True)
class Status:
    """The state of a run.

    head
        None where there is none: the run has not begun, was stopped in good order, or is complete.
    queue
        Jobs that Slurm has of it, by their name (rule, sample and pack).
    slurm_silent
        Why Slurm could not be asked; empty where it was, or need not be.
    failures, news
        Errors that jobs have left, and what was told of jobs last, (seconds of the epoch, text).
    """

    progress: Progress
    head: Head | None
    queue: Mapping[str, QueuedJob]
    slurm_silent: str
    failures: list[dict[str, Any]]
    news: list[tuple[float, str]]
    intermediates_gone: bool

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.progress.n_done == len(self.progress.jobs)


def read_status(paths: RunPaths) -> Status:
    """The state of a run now; raises UserError where its plan cannot be read."""
    plan = read_plan(paths.plan)
    head = _head(paths)
    names = [*known_names(paths), *([head_name(paths.root)] if head and head.slurm_job else [])]
    queue, silent = {}, ""
    if names:
        try:
            alive = [job for job in queued_jobs(names).values() if not job.has_ended]
            queue = {job.comment.split(" ")[0]: job for job in alive if job.comment}
        except NotAnswering as error:
            silent = str(error)
    return Status(
        progress=ProgressReader(plan, paths, 0.0).read(),
        head=head,
        queue=queue,
        slurm_silent=silent,
        failures=list(_failures(paths)),
        news=all_news(paths.news)[-_MOST_NEWS:],
        intermediates_gone=not paths.jobs.exists() and paths.report.exists(),
    )


def status_lines(status: Status) -> Iterator[str]:
    """What there is to say of a run, in plain words, a line each."""
    for rule in status.progress.rules:
        yield _rule_line(rule, status)
    for job in status.progress.jobs:
        yield from _job_line(job, status)
    if status.slurm_silent:
        yield f"Slurm does not answer ({status.slurm_silent}): which jobs wait or run is not known"
    for when, text in status.news:
        yield f"news: {_clock(when)} {text}"
    for failure in status.failures:
        for line in failure["lines"]:
            yield f"error: {failure['job']}: {line}"
    progress = status.progress
    yield f"{progress.n_done} of {len(progress.jobs)} jobs done ({progress.share:.0%}); {_summary(status)}"


def _rule_line(rule: RuleProgress, status: Status) -> str:
    blocks = f", {rule.n_blocks_done:,} of {n_of(rule.n_blocks, 'block')}" if rule.n_blocks else ""
    jobs = [job for job in status.progress.jobs if job.rule == rule.rule]
    states = [_state(job, status) for job in jobs]
    counts = "".join(
        f", {states.count(word)} {word}"
        for word in ("running", "queued", "failed", "cut off")
        if word in states
    )
    return f"{rule.rule:20} {rule.n_done} of {n_of(rule.n_jobs, 'job')}{blocks}{counts}"


def _state(job: JobState, status: Status) -> str:
    """running, queued, failed, done, waiting, or cut off: it began, and nothing works on it any more."""
    if job.state is State.DONE:
        return "done"
    queued = status.queue.get(job.name)
    if queued:
        return "queued" if queued.state in ("PENDING", "CONFIGURING", "REQUEUED") else "running"
    if job.state is State.RUNNING:
        return "running" if status.slurm_silent or (status.head and status.head.alive) else "cut off"
    return "failed" if job.state is State.FAILED else "waiting"


def _job_line(job: JobState, status: Status) -> Iterator[str]:
    state, queued = _state(job, status), status.queue.get(job.name)
    on_slurm = f", Slurm job {queued.id}" if queued else ""
    if state == "running":
        host = f" on {job.note['host']}" if job.note.get("host") not in (None, socket.gethostname()) else ""
        since = (
            f", for {in_words(time.time() - job.note['time'])}" if job.note.get("status") == "running" else ""
        )
        yield f"running: {job.name}{host}{since}{on_slurm}"
    elif state == "queued" and queued:
        yield f"queued: {job.name}{on_slurm} ({_reason(queued)})"
    elif state == "cut off":
        yield f"cut off: {job.name} began {_clock(job.note['time'])} and nothing works on it any more"


def _reason(job: QueuedJob) -> str:
    return job.reason if job.reason not in ("", "None") else job.state.lower()


def _summary(status: Status) -> str:
    """Who works on it, and what to do."""
    head = status.head
    if head and head.alive:
        job = f", Slurm job {head.slurm_job}" if head.slurm_job else ""
        sign = (
            "it cannot be seen from this host"
            if head.silent_s is None
            else f"last sign {head.silent_s:.0f} s ago"
        )
        unseen = "" if head.is_here else f" (taken for alive: {sign})"
        since = f" since {_clock(head.since)}" if head.since else ""
        return f"a head works on it: process {head.pid} on {head.host}{job}{since}{unseen}"
    if status.is_complete:
        gone = "; its intermediates were deleted" if status.intermediates_gone else ""
        return f"complete{gone}"
    what = "its head has died" if head else "no head works on it"
    jobs = f", {n_of(len(status.queue), 'job')} of it still in Slurm" if status.queue else ""
    return f"{what}{jobs}; `isthmus run` goes on with it"


def _head(paths: RunPaths) -> Head | None:
    try:
        file = paths.work / "head.json"
        noted = dict(json.loads(file.read_text()))
        return Head(
            alive=is_held(paths.work),
            pid=int(noted["pid"]),
            host=str(noted["host"]),
            since=float(noted.get("created") or 0),
            slurm_job=str(noted.get("slurm_job", "")),
            silent_s=silent_s(file) if noted.get("beats") else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _failures(paths: RunPaths) -> Iterator[dict[str, Any]]:
    """Errors that jobs have left; one that is mended or made anew meanwhile is passed over."""
    for file in sorted(paths.errors.glob("*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            failure = dict(json.loads(file.read_text()))
            yield {"job": str(failure["job"]), "lines": [str(line) for line in failure["lines"]]}


def _clock(seconds: float) -> str:
    """A moment as a clock says it; with the date where it is not today."""
    moment, today = time.localtime(seconds), time.localtime()
    same_day = moment[:3] == today[:3]
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M", moment)
