"""How packs end: told to stop, with blocks set aside, with workers that died; and one worker a device."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pool_tasks
import pytest

from isthmus.packs.death import CRASH, KILLED, MEMORY, cause_of_death, memory_kills
from isthmus.packs.devices import devices_of
from isthmus.packs.journal import Journal
from isthmus.packs.pool import run_tasks
from isthmus.packs.runner import BlocksFailed, run_pack
from isthmus.packs.stop import Stop, Stopped


def run(folder, compute, blocks, **options):
    journal = Journal(folder / "journal", folder)
    return run_pack(compute, blocks, digest="d", journal=journal, writer="1-of-1", workers=2, **options)


def tell_when_begun(folder: Path, block: int, tell) -> threading.Thread:
    def watch():
        while not (folder / f"begun-{block}").exists():
            time.sleep(0.02)
        tell()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_warned_pack_finishes_what_is_under_way_and_begins_no_more(tmp_path):
    warning = tmp_path / "warned"
    thread = tell_when_begun(tmp_path, 1, warning.touch)
    with pytest.raises(Stopped):
        run(
            tmp_path,
            partial(pool_tasks.sleep_block, tmp_path, 0.4),
            range(20),
            stop=Stop(warning, grace_s=20),
        )
    thread.join()
    done = Journal(tmp_path / "journal", tmp_path).finished("d")
    begun = {int(path.name.split("-")[1]) for path in tmp_path.glob("begun-*")}
    assert set(done) == begun
    assert len(done) < 20
    summary = run(tmp_path, partial(pool_tasks.sleep_block, tmp_path, 0.0), range(20))
    assert set(summary.skipped) == set(done)


def test_what_takes_too_long_is_given_up(tmp_path):
    warning = tmp_path / "warned"
    thread = tell_when_begun(tmp_path, 0, warning.touch)
    began = time.monotonic()
    with pytest.raises(Stopped):
        run(
            tmp_path, partial(pool_tasks.sleep_block, tmp_path, 60), range(4), stop=Stop(warning, grace_s=0.2)
        )
    thread.join()
    assert time.monotonic() - began < 15
    assert Journal(tmp_path / "journal", tmp_path).finished("d") == {}


@pytest.mark.parametrize(("number", "most_s"), [(signal.SIGTERM, 0.0), (signal.SIGUSR1, 60.0)])
def test_signals_are_heeded_and_given_back(number, most_s):
    before = signal.getsignal(number)
    with Stop(grace_s=60).heeding_signals() as stop:
        assert not stop.told
        os.kill(os.getpid(), number)
        assert stop.told
        assert stop.is_due == (most_s == 0)
    assert signal.getsignal(number) is before


def test_the_batch_script_says_where_the_warning_comes(tmp_path):
    stop = Stop.from_environment({"ISTHMUS_WARNED": str(tmp_path / "w"), "ISTHMUS_WARNED_S": "0"})
    assert not stop.told
    (tmp_path / "w").touch()
    assert stop.is_due
    assert not Stop.from_environment({}).told


def test_a_fault_that_passes_is_no_failure(tmp_path):
    summary = run(tmp_path, partial(pool_tasks.fail_once, tmp_path), range(3))
    assert sorted(summary.entries) == [0, 1, 2]


def test_blocks_set_aside_are_named_with_their_place_until_they_are_done(tmp_path):
    (tmp_path / "journal").mkdir()
    with pytest.raises(
        BlocksFailed, match=r"1 block failed twice .*: 1 \(x 256 to 512\); RuntimeError"
    ) as caught:
        run(
            tmp_path,
            partial(pool_tasks.write_block, tmp_path, (1,)),
            range(3),
            place=lambda block: f"x {256 * block} to {256 * (block + 1)}",
        )
    assert (caught.value.reason, caught.value.again) == ("error", False)
    file = tmp_path / "quarantine" / "1-of-1.json"
    assert json.loads(file.read_text())["blocks"] == [
        {"block": 1, "place": "x 256 to 512", "error": "RuntimeError: cannot do 1"}
    ]
    run(tmp_path, partial(pool_tasks.write_block, tmp_path, ()), range(3))
    assert not file.exists()


def test_a_crash_is_told_from_a_kill():
    crashed = {o.task: o for o in run_tasks(partial(pool_tasks.crash, 2), range(4), workers=2)}
    assert "SIGSEGV" in str(crashed[2].error)
    assert crashed[2].error.reason == CRASH
    killed = {o.task: o for o in run_tasks(partial(pool_tasks.die_always, 2), range(4), workers=2)}
    assert killed[2].error.reason == KILLED
    assert [crashed[task].result for task in (0, 1, 3)] == [0, 1, 3]


@pytest.mark.parametrize(
    ("codes", "kills", "reason"),
    [
        ([-9, -15], 0, KILLED),
        ([-9, -15], 1, MEMORY),
        ([-15, -15], 2, MEMORY),
        ([None, -15], 0, KILLED),
        ([-7, -15], 0, CRASH),
        ([3, 0], 0, CRASH),
    ],
)
def test_causes_of_death(codes, kills, reason):
    assert cause_of_death(codes, memory_kills=kills).reason == reason


@pytest.mark.parametrize(
    ("group", "file", "text"),
    [
        (
            "4:memory:/slurm/job_7/step_batch",
            "memory/slurm/job_7/step_batch/memory.oom_control",
            "oom_kill 3\n",
        ),
        ("0::/system/job_7", "system/job_7/memory.events", "low 0\noom 1\noom_kill 3\n"),
    ],
)
def test_the_kernel_counts_kills_for_want_of_memory(tmp_path, group, file, text):
    own = tmp_path / "cgroup"
    own.write_text(f"1:name=systemd:/x\n{group}\n")
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    assert memory_kills(own, tmp_path) == 3
    assert memory_kills(tmp_path / "none", tmp_path) == 0


@pytest.mark.parametrize(
    ("environment", "devices"),
    [
        ({}, ()),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, ()),
        ({"CUDA_VISIBLE_DEVICES": "2,5"}, ({"CUDA_VISIBLE_DEVICES": "2"}, {"CUDA_VISIBLE_DEVICES": "5"})),
        (
            {"ROCR_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": "0,1"},
            tuple({"CUDA_VISIBLE_DEVICES": n, "ROCR_VISIBLE_DEVICES": n} for n in "01"),
        ),
    ],
)
def test_devices_of_a_job(environment, devices):
    assert devices_of(environment) == devices


def test_one_worker_a_device():
    devices = devices_of({"CUDA_VISIBLE_DEVICES": "3,7"})
    made = list(
        run_tasks(partial(pool_tasks.device, "CUDA_VISIBLE_DEVICES"), range(8), workers=16, devices=devices)
    )
    assert {outcome.result for outcome in made} == {"3", "7"}
