"""What has become of a job, told from what the database, the controller and the job itself say."""

from __future__ import annotations

import pytest

from isthmus.slurm.commands import NotAnswering, QueuedJob
from isthmus.slurm.watch import VANISHED, Fate, Watch


class Slurm:
    """What each of them says now; None: it does not answer."""

    def __init__(self):
        self.now = 0.0
        self.accounts: dict[str, str] | None = {}
        self.queue: dict[str, str] | None = {}
        self.words: dict[str, int] = {}
        self.reason = "None"
        self.asked = {"accounts": 0, "queue": 0}

    def ask_accounts(self, ids):
        self.asked["accounts"] += 1
        if self.accounts is None:
            raise NotAnswering("sacct")
        return self.accounts

    def ask_queue(self):
        self.asked["queue"] += 1
        if self.queue is None:
            raise NotAnswering("squeue")
        return {id_: QueuedJob(id_, state, self.reason, "") for id_, state in self.queue.items()}

    def watch(self):
        return Watch(self.ask_accounts, self.ask_queue, self.words.get, lambda: self.now)


def fates(slurm, watch, id_="7", *, times=1, step_s=15.0):
    found = []
    for _ in range(times):
        found.append(watch.look([id_])[id_])
        slurm.now += step_s
    return found


@pytest.mark.parametrize(
    "state",
    ["FAILED", "CANCELLED", "CANCELLED by 1000", "CANCELLED+", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"],
)
def test_an_end_in_the_database_is_a_failure_at_once(state):
    slurm = Slurm()
    slurm.accounts = {"7": state}
    (verdict,) = fates(slurm, slurm.watch())
    assert (verdict.fate, verdict.state) == (Fate.FAILED, state)
    assert slurm.asked["queue"] == 0


def test_completed():
    slurm = Slurm()
    slurm.accounts = {"7": "COMPLETED"}
    assert fates(slurm, slurm.watch())[0].fate is Fate.DONE


def test_memory_that_a_pack_has_overcome_is_no_failure():
    slurm = Slurm()
    slurm.accounts, slurm.words = {"7": "OUT_OF_MEMORY"}, {"7": 0}
    assert fates(slurm, slurm.watch())[0].fate is Fate.DONE


@pytest.mark.parametrize("state", ["PREEMPTED", "NODE_FAIL"])
def test_a_job_that_is_put_back_lives(state):
    slurm = Slurm()
    slurm.accounts, slurm.queue, slurm.reason = {"7": state}, {"7": "PENDING"}, "BeginTime"
    found = fates(slurm, slurm.watch(), times=10)
    assert {verdict.fate for verdict in found} == {Fate.ALIVE}
    assert found[-1].waits == "BeginTime"


@pytest.mark.parametrize("state", ["PREEMPTED", "NODE_FAIL"])
@pytest.mark.parametrize("in_queue", [True, False])
def test_a_job_that_is_not_put_back_has_failed_within_a_minute(state, in_queue):
    slurm = Slurm()
    slurm.accounts, slurm.queue = {"7": state}, {"7": state} if in_queue else {}
    found = fates(slurm, slurm.watch(), times=5)
    assert found[0].fate is Fate.ALIVE
    ended = [verdict for verdict in found if verdict.fate is Fate.FAILED]
    assert ended[0].state == state


@pytest.mark.parametrize("accounted", ["", "RUNNING", "PENDING"])
def test_a_job_that_nobody_knows_has_vanished_within_a_minute(accounted):
    slurm = Slurm()
    slurm.accounts = {"7": accounted} if accounted else {}
    watch = slurm.watch()
    found = fates(slurm, watch, times=7, step_s=10.0)
    assert found[0].fate is Fate.ALIVE
    first = next(number for number, verdict in enumerate(found) if verdict.fate is Fate.FAILED)
    assert first * 10 <= 60
    assert found[first].state == VANISHED


@pytest.mark.parametrize("step_s", [10.0, 15.0, 20.0])
def test_a_job_that_vanishes_just_after_a_look_is_told_within_a_minute(step_s):
    slurm = Slurm()
    slurm.accounts, slurm.queue = {"7": "RUNNING"}, {"7": "RUNNING"}
    watch = slurm.watch()
    assert watch.look(["7"])["7"].fate is Fate.ALIVE
    slurm.queue = {}
    while watch.look(["7"])["7"].fate is Fate.ALIVE:
        slurm.now += step_s
    assert step_s < slurm.now <= 60


def test_a_job_that_is_there_again_has_not_vanished():
    slurm = Slurm()
    slurm.accounts, slurm.queue = {"7": "RUNNING"}, {}
    watch = slurm.watch()
    assert fates(slurm, watch)[0].fate is Fate.ALIVE
    slurm.queue = {"7": "RUNNING"}
    assert {verdict.fate for verdict in fates(slurm, watch, times=8)} == {Fate.ALIVE}


@pytest.mark.parametrize(("code", "fate"), [(0, Fate.DONE), (1, Fate.FAILED)])
def test_the_jobs_last_word_counts_when_slurm_has_forgotten_it(code, fate):
    slurm = Slurm()
    slurm.accounts, slurm.words = {"7": "RUNNING"}, {"7": code}
    assert fates(slurm, slurm.watch(), times=2)[-1].fate is fate


def test_a_last_word_alone_does_not_end_a_job_that_slurm_still_has():
    slurm = Slurm()
    slurm.accounts, slurm.queue, slurm.words = {"7": "RUNNING"}, {"7": "COMPLETING"}, {"7": 0}
    assert {verdict.fate for verdict in fates(slurm, slurm.watch(), times=5)} == {Fate.ALIVE}


def test_silence_is_no_end():
    slurm = Slurm()
    slurm.accounts = slurm.queue = None
    watch = slurm.watch()
    assert {verdict.fate for verdict in fates(slurm, watch, times=20)} == {Fate.ALIVE}
    assert watch.silent_s == 300
    slurm.accounts = {"7": "COMPLETED"}
    assert fates(slurm, watch)[0].fate is Fate.DONE
    assert watch.silent_s == 0


def test_without_a_database_the_controller_tells():
    slurm = Slurm()
    slurm.accounts, slurm.queue = None, {"7": "RUNNING"}
    watch = slurm.watch()
    assert fates(slurm, watch)[0].fate is Fate.ALIVE
    slurm.queue = {"7": "COMPLETED"}
    assert fates(slurm, watch, times=2)[-1].fate is Fate.DONE


def test_one_question_for_all_jobs_and_few_to_the_controller():
    slurm = Slurm()
    slurm.accounts = {str(id_): "RUNNING" for id_ in range(100)}
    slurm.queue = dict(slurm.accounts)
    watch = slurm.watch()
    for _ in range(12):
        assert {verdict.fate for verdict in watch.look(list(slurm.accounts)).values()} == {Fate.ALIVE}
        slurm.now += 15
    assert slurm.asked["accounts"] == 12
    assert slurm.asked["queue"] <= 4
