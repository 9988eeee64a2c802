"""The place where results lie fails in the middle of a run: told in a line, and mended by running again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from study import Study, journal_lines

pytestmark = pytest.mark.slow

Fresh = Callable[..., Study]
GOAL = "work/a/stitch_labels.json"
N_BLOCKS = 12


def mount(*words: str) -> None:
    """Mount something, or skip the test."""
    done = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this user may not mount a file system ({done.stderr.strip()})")


@pytest.fixture
def unmounted() -> Iterator[list[Path]]:
    """Folders to unmount at the end."""
    folders: list[Path] = []
    yield folders
    for folder in reversed(folders):
        subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def assert_one_fault(said: str, *words: str) -> None:
    faults = {line for line in said.splitlines() if line.startswith("error:")}
    assert faults, said
    assert all(any(word in fault for word in words) for fault in faults), said
    assert "fault of Isthmus" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("size", ["1m", "1200k", "1400k"])
def test_a_full_disk(fresh: Fresh, unmounted: list[Path], size: str) -> None:
    study = fresh("a")
    study.results.mkdir()
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(study.results))
    unmounted.append(study.results)
    ended = study.run(until=[GOAL])
    assert ended.code == 1, ended.text
    assert_one_fault(ended.err, "no space is left", "No space left")
    mount("-o", "remount,size=300m", str(study.results))
    ended = study.run(until=[GOAL])
    assert ended.code == 0, ended.text
    assert journal_lines(study.results, "segment_pack") >= N_BLOCKS


def test_results_that_become_read_only(fresh: Fresh, unmounted: list[Path]) -> None:
    study = fresh("a")
    study.results.mkdir()
    process = study.start(until=[GOAL])
    while not (study.results / "work" / "a" / "survey.json").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    mount("--bind", str(study.results), str(study.results))
    unmounted.append(study.results)
    mount("-o", "remount,bind,ro", str(study.results))
    _, said = process.communicate(timeout=240)
    assert process.returncode == 1, said
    assert_one_fault(said, "read-only", "Read-only")
    subprocess.run(["umount", "--lazy", str(study.results)], check=True)
    unmounted.clear()
    ended = study.run(until=[GOAL])
    assert ended.code == 0, ended.text
    assert journal_lines(study.results, "segment_pack") == N_BLOCKS
