"""The executor's first meeting with the run's folder: what an earlier head has left, and the run's name."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from isthmus.plan.paths import RunPaths
from isthmus.slurm import sbatch
from isthmus.slurm.commands import NotAnswering, QueuedJob
from isthmus.slurm.names import JobKey, known_names, run_name
from snakemake_executor_plugin_isthmus_slurm import executor as module
from snakemake_executor_plugin_isthmus_slurm.executor import Executor

KEY = JobKey("segment_pack", "a", "1-of-2", "d" * 64)


class Queue:
    """squeue, silent for the first few questions."""

    def __init__(self, silent: int) -> None:
        self.silent = silent
        self.names: list[set[str]] = []

    def __call__(self, names):
        if self.silent:
            self.silent -= 1
            raise NotAnswering("squeue gave no answer")
        self.names.append(set(names))
        return {"5": QueuedJob("5", "RUNNING", "", KEY.comment)}


@pytest.fixture
def executor(tmp_path):
    """An executor that has met no job, without Snakemake."""
    made = Executor.__new__(Executor)
    made._lock, made._stopping = threading.Lock(), threading.Event()
    made._paths = made._teller = None
    made.workflow = SimpleNamespace(workdir_init=str(tmp_path))
    made.logger = SimpleNamespace(info=lambda text: None)
    made.run_uuid = "none yet"
    return made


def job(results="results"):
    return SimpleNamespace(params=SimpleNamespace(results=results))


def ask_with(monkeypatch, queue):
    monkeypatch.setattr(module, "queued_jobs", queue)
    monkeypatch.setitem(sbatch.wait_for_answer.__kwdefaults__, "pause_s", 0.01)


def test_a_queue_that_is_silent_at_first_is_waited_for(executor, tmp_path, monkeypatch):
    ask_with(monkeypatch, Queue(silent=1))
    paths, _ = executor._meet(job())
    found = executor._orphans.take(KEY)
    assert found is not None
    assert found.id == "5"
    assert known_names(paths) == [executor.run_uuid] == [run_name(tmp_path / "results")]


def test_a_meeting_that_failed_is_held_again_for_the_next_job(executor, monkeypatch):
    queue = Queue(silent=1)
    ask_with(monkeypatch, queue)
    monkeypatch.setitem(sbatch.wait_for_answer.__kwdefaults__, "patience_s", -1)
    with pytest.raises(NotAnswering):
        executor._meet(job())
    assert executor._paths is None
    paths, _ = executor._meet(job())
    assert executor._orphans.take(KEY) is not None
    assert known_names(paths) == [executor.run_uuid]
    executor._meet(job())
    assert len(queue.names) == 1


def test_a_stopped_run_does_not_wait(executor, monkeypatch):
    ask_with(monkeypatch, Queue(silent=9))
    executor._stopping.set()
    with pytest.raises(NotAnswering):
        executor._meet(job())


def test_jobs_under_the_name_of_a_former_place_are_followed(executor, tmp_path: Path, monkeypatch):
    paths = RunPaths(tmp_path / "results")
    paths.slurm.mkdir(parents=True)
    (paths.slurm / "names.jsonl").write_text(f'{{"name": "of-old", "root": "{tmp_path}/gone"}}\n')
    queue = Queue(silent=0)
    ask_with(monkeypatch, queue)
    executor._meet(job())
    executor._queue()
    assert queue.names == [{"of-old"}, {"of-old", executor.run_uuid}]
