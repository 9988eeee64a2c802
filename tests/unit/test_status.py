"""What is said of a run: waiting, running, queued, failed, cut off, and who works on it."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import psutil
import pytest
from test_progress import plan_without

from isthmus.cli.main import main
from isthmus.launch.status import read_status, status_lines
from isthmus.plan.model import RunPlan, write_plan
from isthmus.plan.news import add_news
from isthmus.plan.paths import RunPaths
from isthmus.slurm.names import note_name


@pytest.fixture
def begun(tmp_path: Path) -> tuple[RunPlan, RunPaths]:
    """A run of which the import is done and a pack has begun."""
    plan, paths = plan_without(""), RunPaths(tmp_path)
    write_plan(plan, paths.plan)
    paths.jobs.mkdir(parents=True)
    note(paths, "import_image.a", status="done", digest=plan.digest("import_image", "a"))
    note(paths, "segment_pack.a.1-of-1", status="running", host=socket.gethostname())
    return plan, paths


def note(paths: RunPaths, name: str, **fields: object) -> None:
    with (paths.jobs / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({"time": time.time() - 300, **fields}) + "\n")


def head(paths: RunPaths, **fields: object) -> None:
    mine = {"pid": os.getpid(), "host": socket.gethostname(), "created": psutil.Process().create_time()}
    (paths.work / "head.json").write_text(json.dumps({**mine, **fields}))


def fake_squeue(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, code: int = 0) -> None:
    """A `squeue` that says these lines."""
    tools = folder / "tools"
    tools.mkdir()
    text = "\n".join(lines)
    command = f"cat <<'END'\n{text}\nEND\n" if code == 0 else f"echo {text!r} >&2; exit {code}\n"
    (tools / "squeue").write_text(f"#!/bin/sh\n{command}")
    (tools / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")


def said(paths: RunPaths) -> list[str]:
    return list(status_lines(read_status(paths)))


def test_a_living_head(begun: tuple[RunPlan, RunPaths]) -> None:
    _, paths = begun
    head(paths)
    lines = said(paths)
    assert "segment_pack         0 of 1 job, 0 of 1 block, 1 running" in lines
    assert "running: segment_pack.a.1-of-1, for 5 min" in lines
    assert f"; a head works on it: process {os.getpid()} on {socket.gethostname()} since " in lines[-1]
    assert "taken for alive" not in lines[-1]


def test_a_dead_head(begun: tuple[RunPlan, RunPaths]) -> None:
    _, paths = begun
    head(paths, created=1.0)
    lines = said(paths)
    assert any(line.startswith("cut off: segment_pack.a.1-of-1 began ") for line in lines)
    assert lines[-1].startswith("1 of ")
    assert lines[-1].endswith("its head has died; `isthmus run` goes on with it")


def test_a_head_elsewhere(begun: tuple[RunPlan, RunPaths]) -> None:
    _, paths = begun
    head(paths, host="elsewhere")
    assert "on elsewhere" in said(paths)[-1]
    assert "it cannot be seen from this host" in said(paths)[-1]


@pytest.mark.parametrize("text", ["", "garbage", '{"pid": "x"}', "[]"])
def test_no_head_or_garbage_in_its_place(begun: tuple[RunPlan, RunPaths], text: str) -> None:
    _, paths = begun
    (paths.work / "head.json").write_text(text)
    assert said(paths)[-1].endswith("no head works on it; `isthmus run` goes on with it")


def test_jobs_on_slurm(
    begun: tuple[RunPlan, RunPaths], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs of a head that has died go on; one that failed waits for its next attempt."""
    _, paths = begun
    note_name(paths)
    note(paths, "survey_image.a", status="failed")
    fake_squeue(
        *(tmp_path, monkeypatch),
        "71|RUNNING|None|segment_pack.a.1-of-1 0123456789abcdef",
        "72|PENDING|QOSMaxJobsPerUserLimit|survey_image.a 0123",
        "70|FAILED|NonZeroExitCode|survey_image.a 0123",
        "73|PENDING|Priority|",
    )
    lines = said(paths)
    assert "running: segment_pack.a.1-of-1, for 5 min, Slurm job 71" in lines
    assert "queued: survey_image.a, Slurm job 72 (QOSMaxJobsPerUserLimit)" in lines
    assert "survey_image         0 of 1 job, 1 queued" in lines
    assert lines[-1].endswith(
        "no head works on it, 2 jobs of it still in Slurm; `isthmus run` goes on with it"
    )


def test_a_silent_slurm(
    begun: tuple[RunPlan, RunPaths], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, paths = begun
    note_name(paths)
    fake_squeue(tmp_path, monkeypatch, "Unable to contact slurm controller", code=1)
    lines = said(paths)
    assert any(
        "Slurm does not answer (Unable to contact slurm controller): which jobs" in line for line in lines
    )
    assert "running: segment_pack.a.1-of-1, for 5 min" in lines


def test_errors_and_news(begun: tuple[RunPlan, RunPaths], capsys: pytest.CaptureFixture[str]) -> None:
    """Errors make the exit code 1; half a line of news and a note that is being written are passed over."""
    _, paths = begun
    note(paths, "segment_pack.a.1-of-1", status="failed")
    for n in range(7):
        add_news(paths.news, f"pack {n} ran out of memory")
    with paths.news.open("a") as file:
        file.write('{"time": 1')
    paths.errors.mkdir()
    (paths.errors / "segment_pack.a.1-of-1.json").write_text(
        json.dumps({"job": "segment_pack, sample a, pack 1-of-1", "lines": ["pack 1-of-1: 1 block failed"]})
    )
    (paths.errors / "other.json").write_text('{"job"')
    before = sorted((path, path.stat().st_mtime_ns) for path in paths.root.rglob("*"))
    assert main(["status", str(paths.root)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "segment_pack         0 of 1 job, 0 of 1 block, 1 failed" in lines
    assert "error: segment_pack, sample a, pack 1-of-1: pack 1-of-1: 1 block failed" in lines
    news = [line.split(" ", 2)[2] for line in lines if line.startswith("news: ")]
    assert news == [f"pack {n} ran out of memory" for n in range(2, 7)]
    assert sorted((path, path.stat().st_mtime_ns) for path in paths.root.rglob("*")) == before
