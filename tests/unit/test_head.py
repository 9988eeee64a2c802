"""One head at a time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from isthmus.errors import UserError
from isthmus.launch import head, head_job, heartbeat
from isthmus.launch.head import Head, is_held
from isthmus.launch.heartbeat import Heartbeat
from isthmus.launch.profile import Profile, read_profile
from isthmus.plan.paths import RunPaths
from isthmus.slurm.commands import NotAnswering, QueuedJob
from isthmus.slurm.sbatch import submit


def _held_by(work, process, **other):
    note = {"pid": process.pid, "host": socket.gethostname(), "created": process.create_time(), **other}
    work.mkdir()
    (work / "head.json").write_text(json.dumps(note))


def test_taken_and_given_back(tmp_path):
    with Head(tmp_path / "work"):
        assert is_held(tmp_path / "work")
        assert json.loads((tmp_path / "work" / "head.json").read_text())["pid"] == os.getpid()
    assert not is_held(tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("clock_moved_s", [0.0, 1.0, -1.0])
def test_a_living_stranger_is_respected(tmp_path, clock_moved_s):
    """Also when the clock has been set meanwhile, which moves the start of every process."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        try:
            process = psutil.Process(stranger.pid)
            _held_by(tmp_path / "work", process, created=process.create_time() + clock_moved_s)
            with pytest.raises(UserError, match=f"process {stranger.pid}"):
                Head(tmp_path / "work").take()
        finally:
            stranger.kill()


def test_who_started_this_process_is_worked_for(tmp_path):
    parent = psutil.Process().parent()
    _held_by(tmp_path / "work", parent)
    Head(tmp_path / "work").take()
    Head(tmp_path / "work").release()
    assert json.loads((tmp_path / "work" / "head.json").read_text())["pid"] == parent.pid


@pytest.mark.parametrize("note", ["garbage", "{}", '{"pid": 1, "host": "HOST", "created": 1}'])
def test_a_dead_head_holds_nothing(tmp_path, note):
    (tmp_path / "head.json").write_text(note.replace("HOST", socket.gethostname()))
    with Head(tmp_path):
        assert json.loads((tmp_path / "head.json").read_text())["pid"] == os.getpid()


def test_another_host_cannot_be_seen(tmp_path):
    _held_by(tmp_path / "work", psutil.Process(), host="elsewhere")
    with pytest.raises(UserError, match=r"if it is gone: delete .*head\.json"):
        Head(tmp_path / "work").take()


def test_a_head_elsewhere_is_alive_as_long_as_it_gives_signs(tmp_path):
    _held_by(tmp_path / "work", psutil.Process(), host="elsewhere", beats=True)
    with pytest.raises(
        UserError, match=r"on elsewhere, last sign \d s ago.*run again 5 min after its last sign"
    ):
        Head(tmp_path / "work").take()
    file = tmp_path / "work" / "head.json"
    before = time.time() - 1.01 * heartbeat.DEAD_AFTER_S
    os.utime(file, (before, before))
    assert not is_held(tmp_path / "work")
    with Head(tmp_path / "work") as taken:
        assert taken.told == "the head on elsewhere is taken for dead, last sign 5 min ago"
        assert json.loads(file.read_text())["pid"] == os.getpid()
    assert list((tmp_path / "work").iterdir()) == []


def test_signs_are_given_until_the_end(tmp_path):
    file = tmp_path / "held"
    file.write_text("")
    os.utime(file, (0, 0))
    beats = Heartbeat(file, lambda: False, on_loss=pytest.fail, every_s=0.01)
    until = time.monotonic() + 5
    while heartbeat.silent_s(file) > 5 and time.monotonic() < until:
        time.sleep(0.01)
    beats.stop()
    assert heartbeat.silent_s(file) < 5
    os.utime(file, (0, 0))
    time.sleep(0.05)
    assert heartbeat.silent_s(file) > 5
    assert heartbeat.silent_s(tmp_path / "none") == 0.0


def test_who_was_taken_for_dead_ends_when_it_wakes(tmp_path):
    """It stood still for long; the folder is another's now, and jobs of it must not be cancelled."""
    code = (
        "import sys, time; from pathlib import Path; from isthmus.launch import heartbeat\n"
        "heartbeat.EVERY_S = 0.05; heartbeat.Heartbeat.__init__.__kwdefaults__['every_s'] = 0.05\n"
        "from isthmus.launch.head import Head\n"
        "with Head(Path(sys.argv[1])): time.sleep(20)\n"
    )
    work = tmp_path / "work"
    with subprocess.Popen([sys.executable, "-c", code, work], stderr=subprocess.PIPE, text=True) as head_:
        while not (work / "head.json").exists():
            time.sleep(0.01)
        time.sleep(0.2)
        assert head_.poll() is None
        note = json.dumps({"pid": 1, "host": "elsewhere", "created": 1, "beats": True})
        (work / "aside").write_text(note)
        (work / "aside").rename(work / "head.json")
        _, said = head_.communicate(timeout=10)
    assert head_.returncode == 1
    assert said == "error: another run has taken this one for dead and goes on with it; this one ends\n"
    assert (work / "head.json").read_text() == note


def test_a_file_that_another_has_put_there_stays(tmp_path):
    """Two heads find the same dead one; the slower must not remove the file of the faster."""
    _held_by(tmp_path / "work", psutil.Process(), pid=2)
    file = tmp_path / "work" / "head.json"
    dead = {"pid": 1}
    before = file.read_text()
    Head(tmp_path / "work")._drop(dead)
    assert file.read_text() == before
    Head(tmp_path / "work")._drop(json.loads(before))
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "mine", "refused"),
    [("running", "8", True), ("over", "8", False), ("silent", "8", True), ("running", "7", False)],
)
def test_a_head_in_a_job_elsewhere_holds_the_folder_while_its_job_lives(
    tmp_path, monkeypatch, asked, mine, refused
):
    def alive_of(ids):
        if asked == "silent":
            raise NotAnswering("squeue")
        return ids if asked == "running" else []

    monkeypatch.setattr(head, "alive_of", alive_of)
    monkeypatch.setenv("SLURM_JOB_ID", mine)  # the same job is the same head, put back into the queue
    _held_by(tmp_path / "work", psutil.Process(), host="elsewhere", slurm_job="7")
    if refused:
        with pytest.raises(UserError, match="another run"):
            Head(tmp_path / "work").take()
    else:
        Head(tmp_path / "work").take()
        assert json.loads((tmp_path / "work" / "head.json").read_text())["slurm_job"] == mine


@pytest.fixture
def handed(monkeypatch):
    """What is handed to Slurm: options, script, environment."""
    seen = []

    def submit(options, script, *, environment, **_):
        seen.append((list(options), script, environment))
        return "9;cluster"

    monkeypatch.setattr(head_job, "submit", submit)
    return seen


def test_options_of_the_heads_own_job(tmp_path, monkeypatch, handed):
    paths = RunPaths(tmp_path)
    resources = {"slurm_partition": "small", "qos": "normal", "mem_mb": 0}
    profile = Profile(tmp_path / "p", {"executor": "isthmus-slurm", "default-resources": resources})
    words = ["run", "a b.yaml", "--head-in-job"]
    monkeypatch.setenv("LICENCE", "7")
    assert head_job.submit_head(paths, profile, words, account="x", minutes=30, exported=["LICENCE"]) == "9"
    options, script, environment = handed.pop()
    assert {"--account=x", "--partition=small", "--qos=normal", "--time=30"} <= set(options)
    assert not [option for option in options if option.startswith("--mem")]
    assert "isthmus run 'a b.yaml' --head-in-job" in script
    assert environment["LICENCE"] == "7"
    monkeypatch.setenv("ISTHMUS_HEAD_IN_JOB", "9")
    assert head_job.submit_next(paths) == "9"
    after, again, environment = handed.pop()
    assert (after, again) == ([*options, "--dependency=afterany:9"], script)
    assert environment["LICENCE"] == "7"


@pytest.mark.parametrize("words", [("--isthmus-slurm-export", "B,C"), ("--isthmus-slurm-export=B,C",)])
def test_variables_that_jobs_get_are_those_of_the_command_line_or_of_the_profile(tmp_path, words):
    profile = Profile(tmp_path, {"executor": "isthmus-slurm", "isthmus-slurm-export": "A, B"})
    assert profile.exported() == ["A", "B"]
    assert profile.exported(["--quiet", *words, "target"]) == ["B", "C"]
    assert Profile(tmp_path, {}).exported(["target"]) == []


def test_a_hand_over_waits_for_a_controller_that_is_away(tmp_path, monkeypatch, capfd, handed):
    profile = Profile(tmp_path / "p", {"executor": "isthmus-slurm"})
    monkeypatch.setenv("ISTHMUS_HEAD_IN_JOB", "8")
    head_job.submit_head(RunPaths(tmp_path), profile, ["run"], account="", minutes=30)
    monkeypatch.setattr(head_job, "submit", partial(submit, pause_s=0.01))
    there = {"8": "RUNNING", "9": "PENDING"}
    queued = {id_: QueuedJob(id_, state, "", "") for id_, state in there.items()}
    answers = [NotAnswering("squeue"), {"8": queued["8"]}, queued]

    def ask(names):
        answer = answers.pop(0)
        if isinstance(answer, NotAnswering):
            raise answer
        return answer

    monkeypatch.setattr(head_job, "queued_jobs", ask)
    tool = tmp_path / "bin" / "sbatch"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho x >>{tmp_path}/called\necho "Socket timed out" >&2\nexit 1\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    assert head_job.submit_next(RunPaths(tmp_path)) == "9"  # this job itself, 8, is not the next one
    assert (tmp_path / "called").read_text().count("x") == 2, "submitted while Slurm had not told"
    assert "Slurm does not answer" in capfd.readouterr().out


def test_the_heads_own_job_has_the_qos_of_its_account(tmp_path, handed):
    profile = read_profile(Path(__file__).parents[2] / "profiles" / "discoverer")
    head_job.submit_head(RunPaths(tmp_path), profile, ["run"], account="ehpc-reg-1", minutes=30)
    assert {"--account=ehpc-reg-1", "--qos=ehpc-reg-1"} <= set(handed[0][0])


def test_a_profile_without_slurm_has_no_head_job(tmp_path):
    with pytest.raises(UserError, match="does not run jobs on Slurm"):
        head_job.submit_head(RunPaths(tmp_path), Profile(tmp_path, {}), [], account="", minutes=None)


def test_the_warning_is_heeded_only_in_a_job_of_its_own(monkeypatch):
    before = signal.getsignal(signal.SIGUSR1)
    monkeypatch.delenv("ISTHMUS_HEAD_IN_JOB", raising=False)
    with head_job.warned_of_end():
        assert signal.getsignal(signal.SIGUSR1) is before
    monkeypatch.setenv("ISTHMUS_HEAD_IN_JOB", "9")
    with pytest.raises(head_job.HandOver), head_job.warned_of_end():
        os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is before
