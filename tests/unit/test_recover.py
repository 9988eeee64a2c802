"""Jobs of an earlier head: kept where they do what the plan asks, ended where not, never ignored."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from isthmus.errors import UserError
from isthmus.launch import execute
from isthmus.launch import recover as module
from isthmus.launch.profile import read_profile
from isthmus.plan.paths import RunPaths
from isthmus.slurm import orphans
from isthmus.slurm.commands import NotAnswering, QueuedJob
from isthmus.slurm.names import JobKey, known_names, note_name

FIT = JobKey("segment_pack", "a", "1-of-2", "d" * 64)
OTHER = JobKey("segment_pack", "a", "1-of-2", "e" * 64)
GONE = JobKey("segment_pack", "a", "2-of-2", "d" * 64)


@pytest.fixture
def slurm(monkeypatch, tmp_path):
    """A queue that can be set, and what was cancelled."""
    state = SimpleNamespace(jobs={}, ended=[], silent=False, run=SimpleNamespace(paths=RunPaths(tmp_path)))

    def queue(names):
        if state.silent:
            raise NotAnswering("squeue gave no answer")
        return state.jobs

    monkeypatch.setattr(module, "queued_jobs", queue)
    monkeypatch.setattr(module, "end_jobs", state.ended.extend)
    monkeypatch.setattr(module, "_wanted", lambda run: {FIT.comment})
    note_name(state.run.paths)
    return state


def queued(**keys):
    return {
        id_: QueuedJob(id_.removeprefix("j"), state, "", key.comment) for id_, (state, key) in keys.items()
    }


def test_a_folder_that_slurm_never_saw_is_not_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "queued_jobs", lambda names: pytest.fail("asked"))
    module.recover(SimpleNamespace(paths=RunPaths(tmp_path)), on_slurm=True, say=print)


def test_what_fits_is_kept_and_the_rest_ended(slurm):
    slurm.jobs = queued(j1=("RUNNING", FIT), j2=("PENDING", OTHER), j3=("COMPLETED", GONE))
    said = []
    module.recover(slurm.run, on_slurm=True, say=said.append)
    assert slurm.ended == ["2"]
    assert len(said) == 2
    assert known_names(slurm.run.paths)


def test_a_run_elsewhere_ends_them_all(slurm):
    slurm.jobs = queued(j1=("RUNNING", FIT), j2=("PENDING", OTHER))
    module.recover(slurm.run, on_slurm=False, say=[].append)
    assert slurm.ended == ["1", "2"]
    assert known_names(slurm.run.paths) == []


@pytest.mark.parametrize(("words", "forgotten"), [(("results/a/cells.h5ad",), False), (("--quiet",), True)])
def test_names_are_forgotten_only_when_the_whole_workflow_ran(slurm, monkeypatch, words, forgotten):
    for name in ("recover", "repair", "_phases", "note_published", "_tidy"):
        monkeypatch.setattr(execute, name, lambda *args, **more: 0)
    monkeypatch.setattr(execute, "repair", lambda plan, paths: [])
    slurm.run.begin, slurm.run.plan = lambda: None, None
    request = execute.Request(Path("c.yaml"), {}, 1, Path("p"), arguments=words)
    profile = SimpleNamespace(on_slurm=True)
    assert execute._work(request, slurm.run, profile, SimpleNamespace(say=print), 0.0) == 0
    assert (known_names(slurm.run.paths) == []) == forgotten


def test_silence_is_no_leave_to_write(slurm):
    slurm.silent = True
    with pytest.raises(UserError, match="may still be on Slurm"):
        module.recover(slurm.run, on_slurm=False, say=print)


def test_an_orphan_is_taken_once_and_doubles_are_ended(monkeypatch):
    ended = []
    monkeypatch.setattr(orphans, "end_jobs", ended.extend)
    jobs = {
        "5": QueuedJob("5", "PENDING", "", FIT.comment),
        "6": QueuedJob("6", "RUNNING", "", FIT.comment),
        "7": QueuedJob("7", "RUNNING", "", OTHER.comment),
        "8": QueuedJob("8", "RUNNING", "", GONE.comment),
        "9": QueuedJob("9", "FAILED", "", FIT.comment),
    }
    found = orphans.Orphans(jobs)
    taken = found.take(FIT)
    assert taken is not None
    assert taken.id == "6"
    assert sorted(ended) == ["5", "7"]
    assert found.take(FIT) is None
    assert found.take(GONE) is not None


def test_cancelled_jobs_are_waited_for(monkeypatch):
    looks = [["1", "2"], ["2"], []]
    cancelled = []
    monkeypatch.setattr(orphans, "cancel", cancelled.append)
    monkeypatch.setattr(orphans, "_LOOK_EVERY_S", 0.0)
    orphans.end_jobs(["2", "1"], look=lambda ids: looks.pop(0))
    assert (cancelled, looks) == ([["1", "2"]], [])
    with pytest.raises(NotAnswering, match="do not end: 1"):
        orphans.end_jobs(["1"], look=lambda ids: ["1"], patience_s=-1)


@pytest.mark.parametrize(
    ("resources", "values"),
    [
        (
            "default-resources: {slurm_partition: standard}\nset-resources: {analyse: {slurm_partition: small}}",
            None,
        ),
        (
            'default-resources: ["slurm_partition=standard"]\nset-resources: ["analyse:slurm_partition=small"]',
            None,
        ),
        ("{}", set()),
    ],
)
def test_resources_of_a_profile(tmp_path, resources, values):
    (tmp_path / "config.yaml").write_text(
        resources + ("\nexecutor: isthmus-slurm\n" if values is None else "")
    )
    profile = read_profile(tmp_path)
    assert profile.on_slurm == (values is None)
    assert profile.values("slurm_partition") == ({"standard", "small"} if values is None else values)


def test_a_profile_that_is_none(tmp_path):
    (tmp_path / "config.yaml").write_text("a: [")
    with pytest.raises(UserError, match="cannot be read"):
        read_profile(tmp_path)
