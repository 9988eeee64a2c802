"""The place where results lie fails in the middle of a run: told in a line, and mended by running again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from study import ISTHMUS, Study, command, journal_lines

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


def test_a_disk_that_is_full_before_is_told_before(fresh: Fresh, unmounted: list[Path]) -> None:
    study = fresh("a")
    study.results.mkdir()
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(study.results))
    unmounted.append(study.results)
    ended = study.run()
    assert ended.code == 1, ended.text
    assert len(ended.faults) == 1
    assert "the run writes about" in ended.err
    assert "the file system takes 1 MB more" in ended.err
    assert list(study.results.iterdir()) == []


def assert_verify_tells(study: Study) -> None:
    """`verify` reads what there is, writes nothing, and says that the run did not come to its end."""
    ended = command([*ISTHMUS, "verify", str(study.config)], study.folder)
    assert ended.code == 1, ended.text
    assert any("the run is not complete" in fault for fault in ended.faults), ended.text
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("size", ["1m", "1200k", "1400k"])
def test_a_full_disk(fresh: Fresh, unmounted: list[Path], size: str) -> None:
    """Others fill it while the run is under way."""
    study = fresh("a")
    study.results.mkdir()
    mount("-t", "tmpfs", "-o", "size=300m", "tmpfs", str(study.results))
    unmounted.append(study.results)
    process = study.start(until=[GOAL])
    while not (study.results / "work" / "head.json").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    mount("-o", f"remount,size={size}", str(study.results))
    _, said = process.communicate(timeout=240)
    assert process.returncode == 1, said
    assert_one_fault(said, "no space is left", "No space left")
    assert_verify_tells(study)
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
    assert_verify_tells(study)
    subprocess.run(["umount", "--lazy", str(study.results)], check=True)
    unmounted.clear()
    ended = study.run(until=[GOAL])
    assert ended.code == 0, ended.text
    assert journal_lines(study.results, "segment_pack") == N_BLOCKS
