"""Kill anything at any time, run again: the same values, no old process alive, no second writer."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import compare
import psutil
import pytest
from conftest import Copy, Finished
from study import SNAKEFILE, Study, end_started, environment, journal_lines

pytestmark = pytest.mark.slow

PATIENCE_S = 240.0
GONE_WITHIN_S = 5.0
GOAL = ["a/cells.h5ad", "a/cells.parquet"]
Fresh = Callable[..., Study]


@pytest.fixture(autouse=True)
def no_run_outlives_its_test() -> Iterator[None]:
    yield
    end_started()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until something is so; the run must not end before."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, f"the run ended with {process.returncode}: {process.communicate()}"
        assert time.monotonic() < until
        time.sleep(0.01)


def is_running(study: Study, job: str) -> bool:
    """Whether the last line of a job's history says that it runs."""
    return status_of(study, job) == "running"


def is_done(study: Study, job: str) -> bool:
    """Whether it says that the job is done."""
    return status_of(study, job) == "done"


def status_of(study: Study, job: str) -> str:
    """What the last line of a job's history says; empty where there is none."""
    try:
        lines = (study.results / "work" / "jobs" / f"{job}.jsonl").read_text().splitlines()
        return str(json.loads(lines[-1])["status"])
    except (OSError, ValueError, IndexError):
        return ""


def start_until(study: Study, job: str, *, blocks: int = 0) -> subprocess.Popen[str]:
    """Start a run and wait until a job of it runs and has finished some blocks."""
    step = job.split(".", maxsplit=1)[0]
    before = journal_lines(study.results, step)
    process = study.start(until=GOAL)
    wait_for(lambda: is_running(study, job), process)
    if blocks:
        wait_for(
            lambda: journal_lines(study.results, step) >= before + blocks or not is_running(study, job),
            process,
        )
    return process


def processes_of(study: Study) -> list[psutil.Process]:
    """Everything that works in the folder of a study."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == study.folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def assert_all_gone(study: Study) -> None:
    until = time.monotonic() + GONE_WITHIN_S
    while time.monotonic() < until and processes_of(study):
        time.sleep(0.05)
    left = [(process.pid, process.cmdline()) for process in processes_of(study)]
    assert left == []


def assert_ends_well(study: Study, good: Path) -> None:
    """Run again to the end: values of an undisturbed run, and few blocks twice."""
    ended = study.run(until=GOAL)
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    compare.assert_same_sample(good, study.results, seams=True)
    for step in ("segment_pack", "quantify_pack"):
        assert journal_lines(study.results, step) == 12, "a block that was done was done again"
    assert not (study.results / "work" / "head.json").exists()


def kill_tree(process: subprocess.Popen[str]) -> None:
    """Kill -9 of everything at once."""
    for victim in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            continue


def press_ctrl_c(process: subprocess.Popen[str]) -> None:
    """Ctrl-C at the terminal; the run ends in good order and in plain words."""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "interrupted; run again to go on where it stopped" in said
    assert "Traceback" not in said
    assert "FAILED" not in said


def kill_head(process: subprocess.Popen[str]) -> None:
    """Only `isthmus run` is killed."""
    process.kill()


def close_terminal(process: subprocess.Popen[str]) -> None:
    """The signal that a closed terminal sends."""
    process.send_signal(signal.SIGHUP)


def kill_snakemake(process: subprocess.Popen[str]) -> None:
    """Only Snakemake is killed; the head says so."""
    children = psutil.Process(process.pid).children()
    next(child for child in children if "snakemake" in " ".join(child.cmdline())).kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode in (1, 2), said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "story",
    [
        [
            ("segment_pack.a.1-of-2", 1, press_ctrl_c),
            ("segment_pack.a.2-of-2", 1, kill_tree),
            ("quantify_pack.a.1-of-2", 2, press_ctrl_c),
            ("build_table.a", 0, kill_tree),
        ],
        [
            ("import_image.a", 0, kill_tree),
            ("segment_pack.a.1-of-2", 0, kill_head),
            ("segment_pack.a.2-of-2", 0, close_terminal),
            ("quantify_pack.a.1-of-2", 0, kill_snakemake),
            ("quantify_pack.a.2-of-2", 1, kill_tree),
        ],
    ],
    ids=["interrupted", "killed"],
)
def test_a_run_stopped_again_and_again_ends_with_the_same_values(
    small_run: Finished, fresh: Fresh, story: list[tuple[str, int, Callable[[subprocess.Popen[str]], None]]]
) -> None:
    study = fresh("a")
    stops = 0
    for job, blocks, stop in story:
        if is_done(study, job):  # the other pack came first
            continue
        stops += 1
        process = start_until(study, job, blocks=blocks)
        stop(process)
        process.communicate(timeout=60)
        assert_all_gone(study)
        if (study.results / "a" / "cells.h5ad").exists():  # the stop came late: what is there is whole
            made, good = compare.cells(study.results), compare.cells(small_run.results)
            compare.assert_same_table(made, good, seams=True)
        if stop is press_ctrl_c:
            assert not (study.results / "work" / "head.json").exists()
            assert list((study.results / "work" / "errors").glob("*")) == []
    assert stops >= 3
    left = study.results / "a" / "partial.1.cells.h5mu"
    left.touch()
    assert_ends_well(study, small_run.results)
    assert not left.exists()


def workers_of(study: Study, job: str) -> list[psutil.Process]:
    """Worker processes of the job that runs: the children of its fork server."""
    try:
        lines = (study.results / "work" / "jobs" / f"{job}.jsonl").read_text().splitlines()
        parent = psutil.Process(json.loads(lines[-1])["pid"])
        return [worker for child in parent.children() for worker in child.children()]
    except (OSError, ValueError, IndexError, KeyError, psutil.Error):
        return []


def test_kill_of_a_worker_is_overcome(small_run: Finished, fresh: Fresh) -> None:
    study = fresh("a")
    process = study.start(until=GOAL)
    for job in ("segment_pack.a.1-of-2", "quantify_pack.a.1-of-2"):
        found: list[psutil.Process] = []
        wait_for(lambda job=job, found=found: found.extend(workers_of(study, job)) or found, process)
        found[0].kill()
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    compare.assert_same_sample(small_run.results, study.results, seams=True)
    assert_all_gone(study)


@contextmanager
def held(process: subprocess.Popen[str]) -> Iterator[None]:
    """Keep a process from going on, so that it is still there however long the other one takes to start."""
    psutil.Process(process.pid).suspend()
    try:
        yield
    finally:
        psutil.Process(process.pid).resume()


def test_a_second_run_in_the_same_results_refuses(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    process = study.start()
    wait_for((study.results / "work" / "head.json").exists, process)
    with held(process):
        second = study.run()
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert second.code == 1, second.text
    assert len(second.faults) == 1
    assert "another run is under way here" in second.faults[0]
    assert second.out == ""


def test_isthmus_does_not_break_into_a_run_of_snakemake(fresh: Fresh) -> None:
    """Plain snakemake works in the folder: `isthmus run` must not write beside it."""
    study = fresh("a")
    words = ["snakemake", "--snakefile", SNAKEFILE, "--configfile", study.config, "--cores", "2"]
    words += ["--profile", SNAKEFILE.parents[1] / "profiles" / "default", *study_targets(study)]
    process = subprocess.Popen(
        [str(word) for word in words],
        cwd=study.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for(lambda: is_running(study, "import_image.a"), process)
        with held(process):
            second = study.run(until=GOAL)
        assert second.code == 1, second.text
        assert len(second.faults) == 1, second.text
        assert process.wait(timeout=PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    for rule in ("import_image.a", "segment_pack.a.1-of-2"):
        history = (study.results / "work" / "jobs" / f"{rule}.jsonl").read_text()
        assert history.count('"running"') == 1, "two writers"


def study_targets(study: Study) -> list[Path]:
    return [study.results.relative_to(study.folder) / path for path in GOAL]
