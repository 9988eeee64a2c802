"""Whether a place takes what a run will write, told before anything is submitted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isthmus.launch import room
from isthmus.launch.room import Room, faults_of_room, rooms_of


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> list[Room]:
    """What the place says; to be filled by the test."""
    found: list[Room] = []
    monkeypatch.setattr(room, "rooms_of", lambda folder: iter(found))
    return found


def faults(results: Path, mb: float, files: int) -> list[str]:
    return [str(fault) for fault in faults_of_room(results, mb=mb, files=files)]


def test_a_place_with_room(rooms: list[Room], tmp_path: Path):
    rooms.append(Room(100.0, None, "the file system"))
    assert faults(tmp_path / "not" / "yet", 100.0, 10**9) == []


def test_everything_that_is_short_is_told(rooms: list[Room], tmp_path: Path):
    rooms += [Room(99.0, 5, "the file system"), Room(20_000.0, 3, "the quota of group bio")]
    told = faults(tmp_path, 25_000.0, 4)
    assert [line.split(": ")[1].split(";")[0] for line in told] == [
        "the run writes about 25 GB, and the file system takes 99 MB more",
        "the run writes about 4 files, and the quota of group bio takes 3 more",
        "the run writes about 25 GB, and the quota of group bio takes 20 GB more",
    ]
    assert all("give another folder" in line for line in told)


def test_what_is_there_need_not_be_written_again(rooms: list[Room], tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pixels").write_bytes(bytes(3_000_000))
    rooms.append(Room(2.0, 3, "the file system"))
    assert faults(tmp_path, 5.0, 5) == []
    assert len(faults(tmp_path, 5.1, 6)) == 2


def test_this_place(tmp_path: Path):
    (here, *_) = rooms_of(tmp_path)
    assert here.mb == pytest.approx(
        os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize / 1e6, rel=0.1
    )
    assert here.files is None or here.files > 0


def test_quotas_on_lustre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command is imitated: kibibytes and files, of the user without a limit, of the group with one."""
    tool = tmp_path / "bin" / "lfs"
    tool.parent.mkdir()
    tool.write_text(
        "#!/bin/sh\n"
        'if [ "$3" = -u ]; then echo "$5 10 0 0 - 20 0 0 -"; else echo "$5 1000000 0 3000000 - 20 0 50 -"; fi\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    _, user, group = rooms_of(tmp_path)
    assert (user.mb, user.files) == (None, None)
    assert (group.mb, group.files) == (pytest.approx(2048.0), 30)
    assert group.who.startswith("the quota of group ")
    tool.write_text("#!/bin/sh\nexit 1\n")
    assert len(list(rooms_of(tmp_path))) == 1
