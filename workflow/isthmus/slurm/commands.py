"""Asking Slurm: its commands, each with a time limit, and what they say of jobs."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

ANSWER_S = 60.0

# States of a job that has come to its end. All others (also new ones) mean that it waits, runs or is being ended.
ENDED = frozenset(
    {
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED"),
        *("NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
    }
)


class NotAnswering(Exception):
    """Slurm gave no answer: a command is missing, took too long, or said that something is wrong."""


@dataclass(frozen=True)
class QueuedJob:
    """A job as the controller knows it; `comment` is what it was submitted with."""

    id: str
    state: str
    reason: str
    comment: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it can still run."""
        return self.state in ENDED


def ask(
    *words: str,
    timeout_s: float = ANSWER_S,
    script: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What a command says, given a script on its standard input and an environment other than this process's.

    Raises
    ------
    NotAnswering
        With the command's last words.
    """
    try:
        done = subprocess.run(
            words,
            input=script or "",
            env=None if environment is None else dict(environment),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise NotAnswering(f"{words[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NotAnswering(f"{words[0]} gave no answer within {timeout_s:.0f} s") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or [f"{words[0]} failed"]
        raise NotAnswering(lines[-1])
    return done.stdout


def first_word(state: str) -> str:
    """A state without what the database adds: `CANCELLED by 1000` and `CANCELLED+` are CANCELLED."""
    return state.split(maxsplit=1)[0].rstrip("+") if state.strip() else ""


def queued_jobs(names: Collection[str]) -> dict[str, QueuedJob]:
    """Jobs of these names that the controller knows, by id; those that have ended stay known for a while."""
    if not names:
        return {}
    text = ask(
        "squeue", "--noheader", "--states=all", f"--name={','.join(sorted(names))}", "--format=%i|%T|%r|%k"
    )
    jobs = {}
    for line in text.splitlines():
        fields = line.split("|", 3)
        if len(fields) == 4:
            jobs[fields[0].strip()] = QueuedJob(*(field.strip() for field in fields))
    return jobs


def accounted_states(ids: Collection[str]) -> dict[str, str]:
    """The state of each of these jobs in the accounting database, where it has one already."""
    if not ids:
        return {}
    words = ["sacct", "--noheader", "--parsable2", "--allocations", "--format=JobIDRaw,State"]
    text = ask(*words, f"--jobs={','.join(sorted(ids))}")
    lines = [line.split("|", 1) for line in text.splitlines() if "|" in line]
    return {id_.strip(): state.strip() for id_, state in lines}


def cancel(words: Sequence[str]) -> None:
    """`scancel`; jobs that are gone already are no fault."""
    ask("scancel", "--quiet", *words)
