"""The pool of workers: every task has one outcome, whatever befalls the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pool_tasks
import psutil
import pytest

from isthmus.errors import UserError
from isthmus.packs.death import WorkerDied
from isthmus.packs.pool import run_tasks

WORKFLOW = Path(__file__).parents[2] / "workflow"


def _outcomes(function, tasks, workers=2):
    made = list(run_tasks(function, tasks, workers=workers))
    assert sorted(outcome.task for outcome in made) == sorted(tasks)
    return {outcome.task: outcome for outcome in made}


def test_no_tasks_no_outcomes():
    assert list(run_tasks(pool_tasks.square, [], workers=3)) == []


def test_many_tasks():
    made = _outcomes(pool_tasks.square, list(range(300)))
    assert all(outcome.result == task * task and outcome.error is None for task, outcome in made.items())


def test_outcomes_come_as_they_are_ready():
    tasks = run_tasks(pool_tasks.process_id, list(range(20)), workers=1)
    # At most one task more than there are workers is handed out ahead.
    assert next(tasks).task in {0, 1}
    assert sorted(outcome.task for outcome in tasks)[-1] == 19


def test_work_is_not_done_here():
    made = _outcomes(pool_tasks.process_id, list(range(8)))
    used = {outcome.result for outcome in made.values()}
    assert os.getpid() not in used
    assert len(used) == 2


def test_an_exception_is_the_outcome_of_its_task_alone():
    made = _outcomes(pool_tasks.fail_on_odd, list(range(10)))
    for task, outcome in made.items():
        if task % 2:
            assert isinstance(outcome.error, ValueError)
            assert str(outcome.error) == f"task {task} is odd"
        else:
            assert outcome.result == task


def test_a_user_error_keeps_its_parts():
    error = _outcomes(pool_tasks.user_error, [4])[4].error
    assert isinstance(error, UserError)
    assert (error.where, error.found, error.do) == ("block 4", "a fault", "mend it")
    assert str(error) == "block 4: a fault; mend it"


def test_a_result_that_cannot_be_sent_is_an_error():
    made = _outcomes(pool_tasks.unpicklable, [0, 1, 2])
    assert made[1].error is not None
    assert made[1].result is None
    assert (made[0].result, made[2].result) == (0, 2)


def test_an_error_that_cannot_be_read_is_told_as_what_it_was():
    made = _outcomes(pool_tasks.unreadable, [0, 1, 2, 3])
    assert not isinstance(made[1].error, WorkerDied)
    assert "unreadable" in str(made[1].error)
    assert [made[task].result for task in (0, 2, 3)] == [0, 2, 3]


def test_a_worker_killed_once_costs_nothing(tmp_path):
    made = _outcomes(partial(pool_tasks.die_once, tmp_path, 3), list(range(8)))
    assert [made[task].result for task in range(8)] == list(range(8))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_task_that_kills_its_worker_is_found(workers):
    made = _outcomes(partial(pool_tasks.die_always, 2), list(range(7)), workers=workers)
    assert isinstance(made[2].error, WorkerDied)
    assert all(made[task].result == task for task in range(7) if task != 2)


def test_workers_killed_while_idle_are_replaced():
    tasks = iter(run_tasks(pool_tasks.process_id, list(range(6)), workers=1))
    first = next(tasks)
    time.sleep(0.3)  # all that was handed out is done by now
    os.kill(first.result, signal.SIGKILL)
    time.sleep(0.3)
    rest = list(tasks)
    assert sorted(outcome.task for outcome in rest) == [1, 2, 3, 4, 5]
    assert all(outcome.error is None for outcome in rest)


def test_giving_up_early_ends_the_workers():
    tasks = run_tasks(pool_tasks.process_id, list(range(50)), workers=2)
    worker = psutil.Process(next(tasks).result)
    tasks.close()
    _, alive = psutil.wait_procs([worker], timeout=5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
sys.path[:0] = [{workflow!r}, {here!r}]
import pool_tasks
from isthmus.packs.pool import run_tasks
if __name__ == "__main__":
    Path(sys.argv[1], "imports").open("a").write("once ")
    list(run_tasks(partial(pool_tasks.note_and_sleep, Path(sys.argv[1])), [0, 1], workers=2))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="kills processes the way of Linux")
def test_workers_die_with_their_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT.format(workflow=str(WORKFLOW), here=str(Path(__file__).parent)))
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)])
    try:
        marks = [tmp_path / "pid-0", tmp_path / "pid-1"]
        _wait(lambda: all(mark.exists() and mark.read_text() for mark in marks))
        workers = [psutil.Process(int(mark.read_text())) for mark in marks]
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert (tmp_path / "imports").read_text() == "once "


def _wait(condition, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
