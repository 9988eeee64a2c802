"""Telling what becomes of jobs: to Snakemake's log, to the run's news, into the jobs' histories."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from isthmus.errors import UserError
from isthmus.plan.history import add_note, count_failures, read_notes
from isthmus.plan.model import read_plan
from isthmus.plan.news import add_news
from isthmus.plan.paths import RunPaths
from isthmus.slurm.commands import first_word
from isthmus.slurm.details import details_of
from isthmus.slurm.names import JobKey
from isthmus.slurm.watch import Verdict
from isthmus.slurm.words import MEMORY, Failure, explain, halved, next_attempt, sentence
from isthmus.steps.job import write_json

_BEGIN_TIME = "BeginTime"
_DO = {
    MEMORY: "more packs, smaller blocks (execution.block_px) or fewer workers (execution.workers) need less at once",
    "time": "run again to go on where it stopped; more packs (execution.packs) make a job shorter",
}
_RUN_AGAIN = "run again to go on where it stopped"


@dataclass(frozen=True)
class Told:
    """What was told of a failure; again says whether another attempt may end better, node which one was lost."""

    text: str
    again: bool
    node: str = ""


class Teller:
    """Tells of the jobs of one run."""

    def __init__(self, paths: RunPaths, logger: Any) -> None:
        self._paths, self._logger = paths, logger
        self._lock = threading.Lock()
        self._put_back: set[str] = set()
        self._to_follow: dict[str, tuple[str, str]] = {}

    def say(self, text: str) -> None:
        """Tell people."""
        with self._lock:
            self._logger.info(text)
            add_news(self._paths.news, text)

    def note(self, key: JobKey, fields: Mapping[str, Any]) -> None:
        """Tell the job's history."""
        add_note(self._paths.jobs, key.rule, key.sample, key.pack, {"digest": key.digest, **fields})

    def forget_error(self, key: JobKey) -> None:
        """What an earlier attempt has left must not be taken for the next one's."""
        (self._paths.errors / f"{key.name}.json").unlink(missing_ok=True)

    def waits(self, key: JobKey, id_: str, verdict: Verdict) -> None:
        """Tell once that Slurm has put a job back into the queue, and that the attempt after a failure has begun."""
        if verdict.waits == _BEGIN_TIME and id_ not in self._put_back:
            self._put_back.add(id_)
            self.say(
                f"{key.title}: Slurm has put job {id_} back into the queue (it lost its node, or had to make room); "
                "it begins again in about 2 min and keeps its finished blocks"
            )
        elif first_word(verdict.state) == "RUNNING":
            self._put_back.discard(id_)
            what, attempt = self._to_follow.pop(key.name, ("", ""))
            if attempt:
                self.say(f"{what}; {attempt} is running")

    def failed(self, key: JobKey, id_: str, state: str, *, attempt: int, attempts: int) -> Told:
        """Tell that a job has failed, and whether an attempt follows."""
        details = details_of(id_)
        last = self._own_last_note(key, id_)
        failure = explain(state, details, own=self._own_error(key), last=last)
        if last.get("status") != "failed" or last.get("reason") != failure.reason:
            self.note(
                key, {"status": "failed", "reason": failure.reason, "slurm_job": id_, "attempt": attempt}
            )
        again = failure.again and attempt < attempts
        what = sentence(key, failure)
        self._to_follow.pop(key.name, None)
        if again:
            follows = next_attempt(attempt + 1, workers=self._workers(key))
            self._to_follow[key.name] = what, follows
            text = f"{what}; {follows} follows"
        else:
            text = what
            self._leave_error(key, failure, id_)
        self.say(text)
        return Told(text, failure.again, details.nodes if failure.reason == "node" else "")

    def refused(self, key: JobKey, why: str) -> None:
        """Tell that Slurm does not take a job."""
        self.note(key, {"status": "failed", "reason": "refused"})
        self._write_error(key, why, "")

    def _workers(self, key: JobKey) -> int | None:
        """Workers of the next attempt of a pack."""
        if not key.pack:
            return None
        with suppress(UserError, KeyError):
            planned = read_plan(self._paths.plan).rules[key.rule].workers
            failures = count_failures(self._paths.jobs, key.name, reason=MEMORY, digest=key.digest)
            return halved(planned, failures)
        return None

    def _own_last_note(self, key: JobKey, id_: str) -> dict[str, Any]:
        """What the job itself has noted last; empty if it never began."""
        for note in read_notes(self._paths.jobs, key.name):
            if note.get("slurm_job") != id_:
                return note
            if note.get("status") == "submitted":
                break
        return {}

    def _own_error(self, key: JobKey) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self._paths.errors / f"{key.name}.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _leave_error(self, key: JobKey, failure: Failure, id_: str) -> None:
        if self._own_error(key) is None:
            log = str(self._paths.logs / "slurm" / f"{key.name}.{id_}.log")
            self._write_error(key, f"{failure.what}; {_DO.get(failure.reason, _RUN_AGAIN)}", log)

    def _write_error(self, key: JobKey, line: str, log: str) -> None:
        write_json(
            self._paths.errors / f"{key.name}.json",
            {"job": key.title, "ours": False, "lines": [line], "log": log},
        )
