"""Locks that a killed Snakemake has left: those of these results go, others stay."""

from pathlib import Path

import pytest

from isthmus.launch.locks import drop_stale_locks


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".snakemake" / "locks"
    folder.mkdir(parents=True)
    return folder


def test_locks_of_other_results_stay(locks: Path, tmp_path: Path):
    (locks / "0.output.lock").write_text("out/report.html\nout/a/cells.h5ad\n")
    (locks / "1.output.lock").write_text("other/report.html\n")
    (locks / "2.input.lock").write_text(f"{tmp_path}/out/work/a/survey.json\n")
    (locks / "3.output.lock").write_text("outside/report.html\n")
    drop_stale_locks(tmp_path / "out")
    assert sorted(lock.name for lock in locks.iterdir()) == ["1.output.lock", "3.output.lock"]


def test_an_empty_lock_stays(locks: Path, tmp_path: Path):
    (locks / "0.output.lock").write_text("")
    drop_stale_locks(tmp_path / "out")
    assert [lock.name for lock in locks.iterdir()] == ["0.output.lock"]


def test_no_locks_are_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    drop_stale_locks(tmp_path / "out")
