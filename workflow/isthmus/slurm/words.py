"""Failures of jobs, told so that the reader knows what happened and what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.slurm.commands import first_word
from isthmus.slurm.details import Details
from isthmus.slurm.names import JobKey
from isthmus.slurm.watch import VANISHED

MEMORY = "memory"
"""The reason of a failure that makes the next attempt use half the workers."""

_GB_FROM_MB = 1024.0
_FULL = 0.9
_KILLED = 9


@dataclass(frozen=True)
class Failure:
    """Why a job failed.

    reason is a word for the job's history: memory, time, cancelled, preempted, node, gone, stopped, error or unknown.
    what is the sentence without its subject. again tells whether another attempt may end better.
    """

    reason: str
    what: str
    again: bool = True


def explain(
    state: str, details: Details, *, own: Mapping[str, Any] | None, last: Mapping[str, Any] | None = None
) -> Failure:
    """Why a job failed.

    Parameters
    ----------
    state
        Its last state in Slurm's words, or VANISHED.
    details
        What the database knows.
    own
        The error that the job itself has left (`work/errors`), if it has.
    last
        The last line of the job's history.
    """
    word = first_word(state)
    if own:
        return Failure(str(own.get("reason", "error")), _own(own), again=bool(own.get("again", True)))
    if last and last.get("status") == "stopped":
        return Failure("stopped", "was told by Slurm to stop and kept its finished blocks")
    if word == "OUT_OF_MEMORY" or details.out_of_memory:
        return Failure(MEMORY, f"ran out of memory{_memory(details)}")
    if word in ("TIMEOUT", "DEADLINE"):
        limit = "" if details.limit_min is None else f" of {in_minutes(details.limit_min)}"
        return Failure("time", f"reached its time limit{limit}")
    if word == "CANCELLED":
        return Failure("cancelled", f"was cancelled{f' by {details.by}' if details.by else ''}")
    if word == "PREEMPTED":
        return Failure("preempted", "had to make room for a job of higher priority")
    if word in ("NODE_FAIL", "BOOT_FAIL"):
        return Failure("node", f"lost its node{f' {details.nodes}' if details.nodes else ''}")
    if word == VANISHED:
        return Failure("gone", "is gone: Slurm knows nothing of it any more")
    if _KILLED in (details.signal, (details.exit_code or 0) - 128):
        if details.used_mb and details.asked_mb and details.used_mb >= _FULL * details.asked_mb:
            return Failure(MEMORY, f"was killed, most likely for want of memory{_memory(details)}")
        return Failure("unknown", f"was killed{_memory(details)}")
    code = "" if details.exit_code is None else f" with exit code {details.exit_code}"
    return Failure("unknown", f"ended{code} and left no word why")


def sentence(key: JobKey, failure: Failure) -> str:
    """Which job, and what happened."""
    return f"{key.title} {failure.what}"


def next_attempt(attempt: int, *, workers: int | None) -> str:
    """The attempt that comes after a failure; the sentence goes on with `follows` or `is running`."""
    with_ = "" if workers is None else f" with {workers} worker{'' if workers == 1 else 's'}"
    return f"attempt {attempt}{with_}"


def halved(workers: int, memory_failures: int) -> int:
    """Workers of a pack after so many attempts that ran out of memory: the memory of the job stays what it is."""
    return max(1, workers >> memory_failures)


def in_gb(mb: float) -> str:
    """An amount of memory (MiB) in the unit in which people ask for it."""
    if mb < _GB_FROM_MB:
        return f"{mb:.0f} MB"
    return f"{mb / 1024:.0f} GB" if mb >= 10 * _GB_FROM_MB else f"{mb / 1024:.1f} GB".replace(".0 ", " ")


def in_minutes(minutes: float) -> str:
    """A time limit as people say it."""
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.3g} h"


def _memory(details: Details) -> str:
    if details.asked_mb is None:
        return ""
    if details.used_mb is None:
        return f" (asked {in_gb(details.asked_mb)})"
    # The database samples: what was used at the end may have been missed.
    seen = "" if details.used_mb >= _FULL * details.asked_mb else " when last seen"
    return f" (asked {in_gb(details.asked_mb)}, used {in_gb(details.used_mb)}{seen})"


def _own(own: Mapping[str, Any]) -> str:
    lines = own.get("lines")
    told = [str(line) for line in lines] if isinstance(lines, Sequence) and not isinstance(lines, str) else []
    return f"failed: {'; '.join(told)}" if told else "failed"
