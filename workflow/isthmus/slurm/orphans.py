"""Jobs of an earlier head that still wait or run: the next head takes them over instead of starting them twice."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Collection, Mapping

from isthmus.slurm.commands import ENDED, NotAnswering, QueuedJob, ask, cancel
from isthmus.slurm.names import JobKey

_LOOK_EVERY_S = 1.0
_PATIENCE_S = 300.0


class Orphans:
    """The jobs that were there when this head began.

    Parameters
    ----------
    jobs
        By id, those that have ended among them.
    """

    def __init__(self, jobs: Mapping[str, QueuedJob]) -> None:
        self._alive = {id_: job for id_, job in jobs.items() if not job.has_ended}

    def take(self, key: JobKey) -> QueuedJob | None:
        """The job that does just this, if there is one: it is then no orphan any more.

        Others that do the same work for another plan, or once more, are cancelled; this returns when they are gone.
        """
        same = [job for job in self._alive.values() if job.comment.split(" ")[0] == key.name]
        for job in same:
            del self._alive[job.id]
        fit = [job for job in same if job.comment == key.comment]
        chosen = min(fit, key=lambda job: (job.state != "RUNNING", int(job.id)), default=None)
        end_jobs([job.id for job in same if job is not chosen])
        return chosen


def end_jobs(
    ids: Collection[str],
    *,
    look: Callable[[Collection[str]], Collection[str]] | None = None,
    patience_s: float = _PATIENCE_S,
) -> None:
    """Cancel jobs and wait until nothing of them can write any more.

    Raises
    ------
    NotAnswering
        Slurm does not answer, or a job does not end in time.
    """
    if not ids:
        return
    cancel(sorted(ids))
    until = time.monotonic() + patience_s
    while left := (look or alive_of)(ids):
        if time.monotonic() > until:
            raise NotAnswering(f"cancelled jobs do not end: {', '.join(sorted(left))}")
        time.sleep(_LOOK_EVERY_S)


def alive_of(ids: Collection[str]) -> list[str]:
    """Those of these jobs that the controller has and that have not ended."""
    # not asked by id: a single id that is not known any more would be an error
    text = ask("squeue", "--noheader", "--states=all", "--format=%i|%T", f"--user={getpass.getuser()}")
    states = dict(line.split("|", 1) for line in text.splitlines() if "|" in line)
    return [id_ for id_ in ids if id_ in states and states[id_].strip() not in ENDED]
