"""What is noted of published files, and the locks of runs that were killed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_progress import plan_without

from isthmus.launch.jobs import published_jobs
from isthmus.launch.locks import drop_stale_locks
from isthmus.launch.progress import ProgressReader
from isthmus.launch.published import find_lost, forget, note_published
from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths


def finished(folder: Path) -> tuple[RunPlan, RunPaths]:
    """A sample's table and the cohort's report with their histories."""
    plan, paths = plan_without(""), RunPaths(folder)
    of = paths.sample("a")
    record = of.record("build_table")
    for path in (of.table, of.transcripts, paths.report, of.local_labels / "0"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    shards = {str(path.relative_to(folder)): [path.stat().st_size, 0] for path in (of.local_labels / "0",)}
    record.write_text(json.dumps({"shards": shards}))
    paths.jobs.mkdir(parents=True)
    for rule, sample, output in (
        ("build_table", "a", record),
        ("assess_quality", "a", of.table),
        ("report", "", paths.report),
    ):
        note = {"rule": rule, "status": "done", "digest": plan.digest(rule, sample), "time": 1.0}
        note["outputs"] = {str(output.relative_to(folder)): output.stat().st_size}
        name = ".".join(part for part in (rule, sample) if part)
        (paths.jobs / f"{name}.jsonl").write_text(json.dumps(note) + "\n")
    note_published(plan, paths)
    return plan, paths


def test_only_files_outside_work_are_noted(tmp_path: Path) -> None:
    _, paths = finished(tmp_path)
    noted = {name: list(job["files"]) for name, job in published_jobs(paths).items()}
    assert noted == {"build_table.a": [], "assess_quality.a": ["a/cells.h5ad"], "report": ["report.html"]}


@pytest.mark.parametrize("harm", ["removed", "cut", "flipped"])
def test_harm_is_found_once_the_histories_are_gone(tmp_path: Path, harm: str) -> None:
    plan, paths = finished(tmp_path)
    table = paths.sample("a").table
    shutil.rmtree(paths.work)
    assert find_lost(plan, paths) == {}
    if harm == "removed":
        table.unlink()
    else:
        table.write_bytes(b"cells" if harm == "cut" else b"cells.h6ad")
    assert find_lost(plan, paths) == {"a": ["a/cells.h5ad"]}
    forget(paths, "a")
    assert not table.exists()
    assert paths.report.exists()
    assert find_lost(plan, paths) == {}
    assert list(published_jobs(paths)) == ["report"]


def test_what_is_noted_stays_when_the_histories_are_gone(tmp_path: Path) -> None:
    plan, paths = finished(tmp_path)
    before = published_jobs(paths)
    shutil.rmtree(paths.work)
    assert ProgressReader(plan, paths, 2.0).read().n_done == 3
    note_published(plan, paths)
    assert published_jobs(paths) == before


@pytest.mark.parametrize("text", ["", "[]", '{"jobs": {"report": {}}}', '{"jobs": 1}'])
def test_a_damaged_note_counts_as_none(tmp_path: Path, text: str) -> None:
    plan, paths = finished(tmp_path)
    paths.published.write_text(text)
    assert published_jobs(paths) == {}
    assert find_lost(plan, paths) == {}


def test_a_job_that_is_made_again_is_not_done_until_it_is(tmp_path: Path) -> None:
    plan, paths = finished(tmp_path)
    assert ProgressReader(plan, paths, 2.0, again=["report"]).read().n_done == 2
    history = paths.jobs / "report.jsonl"
    history.write_text(json.dumps({**json.loads(history.read_text()), "time": 3.0}) + "\n")
    assert ProgressReader(plan, paths, 2.0, again=["report"]).read().n_done == 3


def test_only_locks_on_files_of_these_results_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    drop_stale_locks(tmp_path / "out")
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    for name, text in {
        "0.input": "x.tif\nout/a.json\n",
        "1.output": f"{tmp_path}/out/b\n",
        "2.output": "out2/b\n",
        "3.input": "",
    }.items():
        (locks / f"{name}.lock").write_text(text)
    drop_stale_locks(tmp_path / "out")
    assert sorted(path.name for path in locks.iterdir()) == ["2.output.lock", "3.input.lock"]
