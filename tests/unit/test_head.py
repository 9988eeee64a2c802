"""One head at a time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import psutil
import pytest

from isthmus.errors import UserError
from isthmus.launch.head import Head, is_held


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


def test_a_living_stranger_is_respected(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        try:
            _held_by(tmp_path / "work", psutil.Process(stranger.pid))
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
