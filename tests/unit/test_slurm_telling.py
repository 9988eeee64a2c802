"""What people are told of jobs that fail, wait and begin again."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from isthmus.plan.news import all_news
from isthmus.plan.paths import RunPaths
from isthmus.slurm.details import Details
from isthmus.slurm.names import JobKey
from isthmus.slurm.watch import Fate, Verdict
from snakemake_executor_plugin_isthmus_slurm import telling
from snakemake_executor_plugin_isthmus_slurm.telling import Teller

PACK = JobKey("segment_pack", "b2", "7-of-12", "0123456789abcdef0123")
FAILED = "segment_pack: pack 7 of sample b2 ran out of memory (asked 8 GB, used 8 GB)"


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path)


@pytest.fixture
def teller(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> Teller:
    details = Details("OUT_OF_MEMORY", asked_mb=8192, used_mb=8180)
    monkeypatch.setattr(telling, "details_of", lambda job: details)
    return Teller(paths, logging.getLogger("telling"))


def told(paths: RunPaths) -> list[str]:
    return [text for _, text in all_news(paths.news)]


def test_an_attempt_that_follows_is_told_again_when_it_runs(
    teller: Teller, paths: RunPaths, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Teller, "_workers", lambda self, key: 32)
    assert teller.failed(PACK, "41", "OUT_OF_MEMORY", attempt=1, attempts=3).again
    teller.waits(PACK, "42", Verdict(Fate.ALIVE, "PENDING", "Priority"))
    assert told(paths) == [f"{FAILED}; attempt 2 with 32 workers follows"]
    for _ in range(2):
        teller.waits(PACK, "42", Verdict(Fate.ALIVE, "RUNNING"))
    assert told(paths)[1:] == [f"{FAILED}; attempt 2 with 32 workers is running"]


def test_after_the_last_attempt_nothing_follows_and_an_error_is_left(teller: Teller, paths: RunPaths):
    teller.failed(PACK, "43", "OUT_OF_MEMORY", attempt=3, attempts=3)
    teller.waits(PACK, "43", Verdict(Fate.ALIVE, "RUNNING"))
    assert told(paths) == [FAILED]
    assert "execution.workers" in (paths.errors / f"{PACK.name}.json").read_text()


def test_a_job_that_is_put_back_is_told_once_each_time(teller: Teller, paths: RunPaths):
    back, runs = Verdict(Fate.ALIVE, "PENDING", "BeginTime"), Verdict(Fate.ALIVE, "RUNNING")
    for verdict in (back, back, runs, back):
        teller.waits(PACK, "44", verdict)
    assert len(told(paths)) == 2
    assert all(
        "back into the queue" in text and "begins again in about 2 min" in text for text in told(paths)
    )
