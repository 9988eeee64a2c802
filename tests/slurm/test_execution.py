"""Runs on a real Slurm: heads that come and go, and jobs that cannot succeed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import compare
import pytest
from study import REPOSITORY, end_started

from slurm.cluster import Cluster
from slurm.on_slurm import PACKS, TABLE, Bases, OnSlurm, copy_of, end_of, wait_for

N_BLOCKS = 12

Prepared = Callable[..., OnSlurm]


@pytest.fixture(autouse=True)
def no_run_outlives_its_test() -> Iterator[None]:
    yield
    end_started()


@pytest.fixture
def prepared(generic: Cluster, bases: Bases, tmp_path: Path) -> Prepared:
    """A study on the cluster, before the packs of a step."""

    def make(
        resources: dict[str, object] | None = None, step: str = "segment_pack", **rules: dict[str, object]
    ) -> OnSlurm:
        return OnSlurm(copy_of(bases.before[step], tmp_path / "study"), resources, **rules)

    return make


def test_jobs_that_a_new_head_does_not_want_are_ended_first(generic: Cluster, prepared: Prepared):
    on_slurm = prepared()
    head = on_slurm.start()
    frozen = on_slurm.freeze_packs(head)
    head.kill()
    head.communicate()
    again = on_slurm.start("--set", "execution.packs=1")
    code, said = end_of(again)
    assert code == 0, said
    assert "does not want" in said
    for job in frozen.values():
        assert generic.ended(job, "State")[0].startswith("CANCELLED")
    assert on_slurm.blocks_computed() == N_BLOCKS


@pytest.mark.usefixtures("confined_memory")
def test_too_little_memory_is_told_with_what_to_do(prepared: Prepared):
    on_slurm = prepared(segment_pack={"mem_mb": 200})
    code, said = on_slurm.run()
    assert code == 1, said
    assert "ran out of memory (asked 200 MB" in said
    assert "attempt 2 with 1 worker follows" in said
    faults = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(faults) == len(PACKS), said
    assert all("fewer workers (execution.workers)" in line for line in faults)


@pytest.mark.usefixtures("devices")
def test_a_pack_has_one_worker_for_each_gpu_of_its_job(prepared: Prepared, tmp_path: Path):
    """No method needs GPUs yet: one that there is says so here, and notes what its workers see."""
    results, seen = prepared().results, tmp_path / "seen"
    seen.mkdir()
    path = f"{REPOSITORY}/workflow:{REPOSITORY}/tests"
    pack = (
        f"env PYTHONPATH={path} SEEN_DEVICES={seen} {sys.executable} -P -m slurm.on_gpu {results} {PACKS[0]}"
    )

    def submit(*more: str) -> int:
        words = ["sbatch", "--wait", f"--output={tmp_path}/out", "--mem=2000", *more, f"--wrap={pack}"]
        return subprocess.run(words, check=False, capture_output=True).returncode

    assert submit("--partition=shared") != 0
    fault = json.loads((results / "work" / "errors" / f"segment_pack.a.{PACKS[0]}.json").read_text())
    assert "the method 'basins' needs a GPU, and this job was given none" in fault["lines"][0]
    assert submit("--partition=gpu", "--gres=gpu:2") == 0, (tmp_path / "out").read_text()
    workers = sorted(path.suffix for path in seen.iterdir())
    assert workers == [".0", ".1"]


def test_a_head_in_a_job_hands_over_before_its_time_is_up(generic: Cluster, prepared: Prepared, bases: Bases):
    on_slurm = prepared(step="quantify_pack")
    code, said = on_slurm.run("--head-in-job", "--head-minutes", "20", until=TABLE)
    assert code == 0, said
    first = said.split("the head of the run is job ")[1].split(";")[0]
    frozen = on_slurm.freeze_packs(step="quantify_pack")
    generic.call("scancel", "--batch", "--signal=USR1", first)
    wait_for(lambda: all(len(on_slurm.slurm_jobs(name)) == 2 for name in frozen))
    on_slurm.thaw()
    wait_for(lambda: not generic.jobs())
    log = next((on_slurm.results / "logs" / "slurm").glob(f"head.{first}.log")).read_text()
    second = log.split("the time of this job is nearly up: job ")[1].split(" ")[0]
    assert generic.ended(first, "State") == ("COMPLETED",)
    assert generic.ended(second, "State") == ("COMPLETED",)
    compare.assert_same_sample(bases.whole.results, on_slurm.results, seams=True)
    assert on_slurm.blocks_computed("quantify_pack") == N_BLOCKS, "a block that was done was done again"
    for name, job in frozen.items():
        assert set(on_slurm.slurm_jobs(name)) == {job}, "two writers"


def test_ctrl_c_cancels_the_jobs(generic: Cluster, prepared: Prepared):
    on_slurm = prepared()
    run = on_slurm.start()
    on_slurm.freeze_packs(run)
    run.send_signal(signal.SIGINT)
    code, said = end_of(run)
    assert code == 1
    assert "interrupted; run again" in said
    wait_for(lambda: not generic.jobs())
    assert not (on_slurm.results / "work" / "head.json").exists()


@pytest.mark.parametrize(
    ("resources", "words", "fault"),
    [
        ({}, ("--account", "project_466"), "no account 'project_466' in Slurm; did you mean 'project_465'?"),
        ({"slurm_partition": "shred"}, (), "no partition 'shred'; did you mean 'shared'?"),
        ({"qos": "lo"}, (), "Slurm knows no QOS 'lo'"),
    ],
    ids=["account", "partition", "qos"],
)
def test_a_wrong_profile_is_refused_before_anything_is_submitted(prepared, resources, words, fault):
    on_slurm = prepared(resources)
    code, said = on_slurm.run(*words)
    assert code == 1
    assert [line for line in said.splitlines() if line.startswith("error:")] == [said.strip()]
    assert fault in said
    assert not (on_slurm.results / "work" / "slurm").exists()


def test_what_slurm_refuses_is_told_in_a_line(prepared: Prepared):
    on_slurm = prepared(segment_pack={"slurm_partition": "whole", "runtime": 500})
    code, said = on_slurm.run()
    assert code == 1, said
    faults = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(faults) == len(PACKS)
    assert all("time limit" in line and "execution.packs" in line for line in faults)
