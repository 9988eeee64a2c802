"""Runs on a real Slurm that is made to fail: they end by themselves or say what to do, and no block is done twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import compare
import pytest
from study import end_started

from slurm.cluster import Cluster
from slurm.on_slurm import PACKS, STITCHED, OnSlurm, Study, copy_of, end_of, wait_for

HANG_S = 90.0
N_BLOCKS = 12

Prepared = Callable[..., OnSlurm]


@pytest.fixture(autouse=True)
def no_run_outlives_its_test() -> Iterator[None]:
    yield
    end_started()


@pytest.fixture(scope="session")
def surveyed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose image is imported, so that packs come next."""
    from tissue_sample import write_sample

    folder = tmp_path_factory.mktemp("surveyed") / "study"
    options = {"execution": {"block_px": 256, "packs": 2, "keep_intermediates": True}}
    study = Study(folder, [write_sample(folder)], options)
    ended = study.run(until=["work/a/survey.json"])
    assert ended.code == 0, ended.text
    return study


@pytest.fixture(scope="session")
def stitched(surveyed: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The same, undisturbed and on this machine, up to the stitched labels."""
    study = copy_of(surveyed, tmp_path_factory.mktemp("stitched") / "study")
    ended = study.run(until=[STITCHED])
    assert ended.code == 0, ended.text
    return study


@pytest.fixture
def prepared(generic: Cluster, surveyed: Study, tmp_path: Path) -> Prepared:
    def make(resources: dict[str, object] | None = None, **rules: dict[str, object]) -> OnSlurm:
        return OnSlurm(copy_of(surveyed, tmp_path / "study"), resources, **rules)

    return make


def assert_ended_well(on_slurm: OnSlurm, stitched: Study, ended: tuple[int, str]) -> None:
    """Ended by itself, with the values of an undisturbed run, and no block done twice."""
    code, said = ended
    assert code == 0, said
    for name in ("stitch_labels.json",):
        ours, theirs = (folder / "work" / "a" / name for folder in (on_slurm.results, stitched.results))
        assert ours.read_text() == theirs.read_text()
    assert on_slurm.blocks_computed() == N_BLOCKS, "a block that was done was done again"


def test_a_killed_head_is_followed_by_one_that_takes_its_jobs_over(prepared: Prepared, stitched: Study):
    on_slurm = prepared()
    head = on_slurm.start()
    frozen = on_slurm.freeze_packs(head)
    head.kill()
    head.communicate()
    again = on_slurm.start()
    # The new head must not begin these packs beside those that still have them.
    wait_for(lambda: all(len(on_slurm.slurm_jobs(name)) == 2 for name in frozen), again)
    on_slurm.thaw()
    ended = end_of(again)
    assert_ended_well(on_slurm, stitched, ended)
    for name, job in frozen.items():
        assert set(on_slurm.slurm_jobs(name)) == {job}, "two writers"
        assert [note["status"] for note in on_slurm.notes(name)].count("done") == 1
    assert "taken over" in ended[1]


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


def test_a_cancelled_pack_goes_on_where_it_was(generic: Cluster, prepared: Prepared, stitched: Study):
    on_slurm = prepared()
    run = on_slurm.start()
    name, job = next(iter(on_slurm.freeze_packs(run).items()))
    generic.call("scancel", job)
    cancelled = time.monotonic()
    wait_for(lambda: len(on_slurm.slurm_jobs(name)) == 2, run)
    assert time.monotonic() - cancelled < HANG_S
    on_slurm.thaw()
    ended = end_of(run)
    assert_ended_well(on_slurm, stitched, ended)
    assert f"pack {name.split('.')[-1][0]} of sample a was " in ended[1]
    assert "attempt 2 with 2 workers follows" in ended[1]


def test_a_warned_pack_stops_in_good_order(generic: Cluster, prepared: Prepared, stitched: Study):
    on_slurm = prepared()
    run = on_slurm.start()
    name, job = next(iter(on_slurm.freeze_packs(run).items()))
    generic.call("scancel", "--batch", "--signal=USR1", job)
    time.sleep(1.0)
    on_slurm.thaw()
    ended = end_of(run)
    assert_ended_well(on_slurm, stitched, ended)
    notes = [note["status"] for note in on_slurm.notes(name)]
    # All its blocks may have been under way when the warning came.
    assert notes.count("stopped") == 1 or len(on_slurm.slurm_jobs(name)) == 1
    assert ("was told by Slurm to stop and kept its finished blocks" in ended[1]) == ("stopped" in notes)


def test_too_little_memory_is_told_with_what_to_do(prepared: Prepared):
    on_slurm = prepared(segment_pack={"mem_mb": 200})
    code, said = on_slurm.run()
    assert code == 1, said
    assert "ran out of memory (asked 200 MB" in said
    assert "attempt 2 with 1 worker follows" in said
    faults = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(faults) == len(PACKS), said
    assert all("fewer workers (execution.workers)" in line for line in faults)


def test_memory_that_a_pack_has_overcome_costs_no_attempt(
    generic: Cluster, prepared: Prepared, stitched: Study
):
    """Another process in the job takes too much and is killed: for Slurm the whole job has then run out of memory."""
    on_slurm = prepared()
    run = on_slurm.start()
    name, job = next(iter(on_slurm.freeze_packs(run).items()))
    groups = sorted(Path("/sys/fs/cgroup/memory").glob(f"slurm*/uid_*/job_{job}/step_batch/task_*"))
    if not groups:
        pytest.skip("memory is not confined by control groups of version 1 here")
    hog = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); bytearray(3 << 30)"
    killed = subprocess.run([sys.executable, "-c", hog, str(groups[0] / "cgroup.procs")], check=False)
    assert killed.returncode == -signal.SIGKILL
    on_slurm.thaw()
    assert_ended_well(on_slurm, stitched, end_of(run))
    assert on_slurm.slurm_jobs(name) == [job]
    assert generic.ended(job, "State") == ("OUT_OF_MEMORY",)


def test_the_devices_of_a_job_are_known(generic: Cluster, tmp_path: Path):
    code = "import os; from isthmus.packs.devices import devices_of; print(devices_of(os.environ))"
    words = ["sbatch", "--wait", "--partition=gpu", "--gres=gpu:2", f"--output={tmp_path}/out"]
    generic.call(*words, f'--wrap={sys.executable} -c "{code}"')
    assert (tmp_path / "out").read_text().count("CUDA_VISIBLE_DEVICES") == 2


def test_a_time_limit_is_told_and_the_pack_goes_on(prepared: Prepared, stitched: Study):
    on_slurm = prepared(segment_pack={"runtime": 1})
    run = on_slurm.start()
    frozen = on_slurm.freeze_packs(run)
    name = next(iter(frozen))
    wait_for(lambda: len(on_slurm.slurm_jobs(name)) == 2, run)
    on_slurm.thaw()
    ended = end_of(run)
    assert_ended_well(on_slurm, stitched, ended)
    assert "reached its time limit of 1 min" in ended[1] or "was told by Slurm to stop" in ended[1]


@pytest.mark.parametrize("qos", ["low", "lowest"], ids=["requeue", "cancel"])
def test_a_pack_that_must_make_room(generic: Cluster, prepared: Prepared, stitched: Study, qos: str):
    on_slurm = prepared({"slurm_partition": "whole", "qos": qos})
    run = on_slurm.start()
    name, job = next(iter(on_slurm.freeze_packs(run).items()))
    generic.call(
        "sbatch", "--qos=high", "--partition=whole", "--nodes=2", "--output=/dev/null", "--wrap=sleep 2"
    )
    if qos == "low":
        wait_for(
            lambda: "BeginTime" in generic.call("squeue", "--noheader", "--format=%r", f"--jobs={job}"), run
        )
        news = on_slurm.results / "work" / "news.jsonl"
        wait_for(lambda: news.exists() and "back into the queue" in news.read_text(), run)
        for each in generic.jobs():
            generic.call("scontrol", "update", f"JobId={each}", "StartTime=now", check=False)
    else:
        wait_for(lambda: len(on_slurm.slurm_jobs(name)) == 2, run)
    ended = end_of(run)
    assert_ended_well(on_slurm, stitched, ended)
    told = "has put job" if qos == "low" else "had to make room for a job of higher priority"
    assert told in ended[1]


def test_a_node_that_is_lost(generic: Cluster, prepared: Prepared, stitched: Study):
    on_slurm = prepared()
    run = on_slurm.start()
    frozen = on_slurm.freeze_packs(run)
    node = generic.call("squeue", "--noheader", "--format=%N", f"--jobs={next(iter(frozen.values()))}")
    generic.kill_node(node)
    try:
        wait_for(lambda: "BeginTime" in generic.call("squeue", "--noheader", "--format=%r"), run)
        for job in generic.jobs():
            generic.call("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)
        on_slurm.thaw()
        assert_ended_well(on_slurm, stitched, end_of(run))
    finally:
        generic.start_node(node)


def test_a_controller_that_is_away_for_half_a_minute(generic: Cluster, prepared: Prepared, stitched: Study):
    on_slurm = prepared()
    run = on_slurm.start()
    on_slurm.freeze_packs(run)
    generic.stop_controller()
    on_slurm.thaw()
    time.sleep(30)
    assert run.poll() is None
    generic.start_controller()
    assert_ended_well(on_slurm, stitched, end_of(run))


def test_a_head_in_a_job_hands_over_before_its_time_is_up(
    generic: Cluster, prepared: Prepared, stitched: Study
):
    on_slurm = prepared()
    code, said = on_slurm.run("--head-in-job", "--head-minutes", "20")
    assert code == 0, said
    first = said.split("the head of the run is job ")[1].split(";")[0]
    frozen = on_slurm.freeze_packs()
    generic.call("scancel", "--batch", "--signal=USR1", first)
    wait_for(lambda: all(len(on_slurm.slurm_jobs(name)) == 2 for name in frozen))
    on_slurm.thaw()
    wait_for(lambda: not generic.jobs())
    log = next((on_slurm.results / "logs" / "slurm").glob(f"head.{first}.log")).read_text()
    second = log.split("the time of this job is nearly up: job ")[1].split(" ")[0]
    assert generic.ended(first, "State") == ("COMPLETED",)
    assert generic.ended(second, "State") == ("COMPLETED",)
    assert_ended_well(on_slurm, stitched, (0, ""))
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


@pytest.mark.slow
def test_a_whole_run_has_the_values_of_one_on_this_machine(prepared: Prepared, tmp_path: Path):
    on_slurm = prepared()
    local = copy_of(on_slurm.study, tmp_path / "local")
    code, said = on_slurm.run(until="")
    assert code == 0, said
    ended = local.run()
    assert ended.code == 0, ended.text
    compare.assert_same_sample(local.results, on_slurm.results, seams=True)
    names = [path.stem for path in (on_slurm.results / "work" / "jobs").glob("*.jsonl")]
    submitted = [job for name in names for job in on_slurm.slurm_jobs(name)]
    assert len(submitted) == len(set(submitted))
    assert len(submitted) <= 2 * len(PACKS) + 14
