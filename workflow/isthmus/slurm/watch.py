"""What has become of jobs: the database, the controller and the jobs' own last words, weighed against each other.

The database lags behind and may never hear of an end; the controller forgets jobs some minutes after their end and may
be silent; a job that is killed leaves no last word. Together they tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from isthmus.slurm.commands import ENDED, NotAnswering, QueuedJob, first_word

VANISHED = "VANISHED"
"""Our own word for a job that Slurm knows nothing of any more."""

_PUT_BACK = frozenset({"NODE_FAIL", "PREEMPTED"})  # an end only if the job is not put back into the queue
# Together with a look every 15 or 20 s: a job that is lost just after a look is told after a minute.
_VANISHED_AFTER_S = 15.0
_QUEUE_AT_LEAST_EVERY_S = 40.0


class Fate(Enum):
    """What matters to who waits for a job."""

    ALIVE = "alive"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """What has become of a job; `state` in Slurm's words, as they stand in the database where it has any.

    waits is why the controller does not let it run.
    """

    fate: Fate
    state: str
    waits: str = ""


class Watch:
    """Follows jobs.

    Parameters
    ----------
    accounts
        States by id in the database, of the ids given; raises NotAnswering.
    queue
        All jobs of the run that the controller knows; raises NotAnswering.
    last_word
        The exit code that a job has left at its end; None where there is none.
    clock
        Seconds.
    """

    def __init__(
        self,
        accounts: Callable[[Collection[str]], Mapping[str, str]],
        queue: Callable[[], Mapping[str, QueuedJob]],
        last_word: Callable[[str], int | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts, self._queue, self._last_word, self._clock = accounts, queue, last_word, clock
        self._queue_asked = float("-inf")
        self._missing_since: dict[str, float] = {}
        self._silent_since: float | None = None

    @property
    def silent_s(self) -> float:
        """For how long nobody has answered."""
        return 0.0 if self._silent_since is None else self._clock() - self._silent_since

    def look(self, ids: Collection[str]) -> dict[str, Verdict]:
        """The verdict on each job: one question to the database for all, and one to the controller where needed."""
        try:
            accounts: Mapping[str, str] | None = self._accounts(ids)
        except NotAnswering:
            accounts = None
        words = {id_: self._last_word(id_) for id_ in ids}
        open_ = [id_ for id_ in ids if not self._is_settled((accounts or {}).get(id_, ""))]
        queue = self._ask_queue(
            bool(open_)
            and (
                accounts is None
                or any(id_ in self._missing_since for id_ in open_)
                or any(words[id_] is not None or not _is_plain(accounts.get(id_, "")) for id_ in open_)
                or self._clock() - self._queue_asked >= _QUEUE_AT_LEAST_EVERY_S
            )
        )
        self._note_silence(accounts is None and queue is None)
        return {id_: self._judge(id_, (accounts or {}).get(id_, ""), queue, words[id_]) for id_ in ids}

    @staticmethod
    def _is_settled(state: str) -> bool:
        """Whether the database alone tells the end."""
        word = first_word(state)
        return word in ENDED and word not in _PUT_BACK

    def _ask_queue(self, wanted: bool) -> Mapping[str, QueuedJob] | None:
        if not wanted:
            return None
        try:
            found = self._queue()
        except NotAnswering:
            return None
        self._queue_asked = self._clock()
        return found

    def _note_silence(self, silent: bool) -> None:
        if not silent:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = self._clock()

    def _judge(
        self, id_: str, accounted: str, queue: Mapping[str, QueuedJob] | None, word: int | None
    ) -> Verdict:
        if self._is_settled(accounted):
            return self._end(id_, accounted, word)
        if queue is None:
            return Verdict(Fate.ALIVE, accounted)
        job = queue.get(id_)
        if job is not None and not job.has_ended:
            self._missing_since.pop(id_, None)
            return Verdict(Fate.ALIVE, job.state, job.reason if job.state == "PENDING" else "")
        if job is not None:
            # The database may add who cancelled it: it has a moment to do so.
            return self._end(id_, job.state, word) if self._missing_for(id_) > 0 else _alive(job.state)
        missing_s = self._missing_for(id_)
        if word is not None and missing_s > 0:
            return self._end(id_, "COMPLETED" if word == 0 else "FAILED", word)
        if missing_s >= _VANISHED_AFTER_S:
            ended = first_word(accounted) in _PUT_BACK
            return self._end(id_, accounted if ended else VANISHED, word)
        return _alive(accounted)

    def _missing_for(self, id_: str) -> float:
        """Seconds since the controller was first heard not to have the job alive."""
        now = self._clock()
        return now - self._missing_since.setdefault(id_, now)

    def _end(self, id_: str, state: str, word: int | None) -> Verdict:
        self._missing_since.pop(id_, None)
        # A worker killed for want of memory marks a job as OUT_OF_MEMORY that has overcome it and ended well.
        fine = first_word(state) == "COMPLETED" or word == 0
        return Verdict(Fate.DONE if fine else Fate.FAILED, state)


def _alive(state: str) -> Verdict:
    return Verdict(Fate.ALIVE, state)


def _is_plain(state: str) -> bool:
    """Whether the database says that a job waits or runs."""
    return first_word(state) in ("PENDING", "RUNNING")
