"""Failures in plain words, and the names of jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isthmus.plan.history import add_note, count_failures
from isthmus.plan.news import NewsReader, add_news
from isthmus.plan.paths import RunPaths
from isthmus.slurm.details import Details, parse, to_mb, to_minutes
from isthmus.slurm.names import JobKey, head_name, known_names, note_name, run_name
from isthmus.slurm.watch import VANISHED
from isthmus.slurm.words import explain, halved, next_attempt, sentence

PACK = JobKey("segment_pack", "b2", "7-of-12", "0123456789abcdef0123")
SACCT = """\
41|OUT_OF_MEMORY|0:125|8192M||00:10:02|01:00:00|c1
41.batch|OUT_OF_MEMORY|0:125||8380000K|00:10:02||c1
41.extern|COMPLETED|0:0||12K|00:10:02||c1
"""


def test_out_of_memory_in_full():
    failure = explain("OUT_OF_MEMORY", parse(SACCT, "41"), own=None)
    assert failure.reason == "memory"
    assert failure.again
    assert sentence(PACK, failure) == (
        "segment_pack: pack 7 of sample b2 ran out of memory (asked 8 GB, used 8 GB)"
    )
    assert next_attempt(2, workers=32) == "attempt 2 with 32 workers"
    assert next_attempt(3, workers=1) == "attempt 3 with 1 worker"


def test_a_step_without_memory_tells_why_the_job_failed():
    text = "41|FAILED|1:0|400M||00:01:00|00:10:00|c1\n41.0|OUT_OF_MEMORY|0:125||399M|00:00:50||c1\n"
    assert explain("FAILED", parse(text, "41"), own=None).what == (
        "ran out of memory (asked 400 MB, used 399 MB)"
    )


@pytest.mark.parametrize(
    ("state", "details", "reason", "what"),
    [
        ("TIMEOUT", Details(limit_min=30), "time", "reached its time limit of 30 min"),
        ("TIMEOUT", Details(limit_min=2880), "time", "reached its time limit of 48 h"),
        ("CANCELLED by 0", Details(by="root"), "cancelled", "was cancelled by root"),
        ("CANCELLED", Details(), "cancelled", "was cancelled"),
        ("PREEMPTED", Details(), "preempted", "had to make room for a job of higher priority"),
        ("NODE_FAIL", Details(nodes="c3"), "node", "lost its node c3"),
        (VANISHED, Details(), "gone", "is gone: Slurm knows nothing of it any more"),
        (
            "FAILED",
            Details(signal=9, asked_mb=1000, used_mb=990),
            "memory",
            "was killed, most likely for want of memory (asked 1000 MB, used 990 MB)",
        ),
        (
            "OUT_OF_MEMORY",
            Details(asked_mb=22_400, used_mb=1536),
            "memory",
            "ran out of memory (asked 22 GB, used 1.5 GB when last seen)",
        ),
        ("FAILED", Details(exit_code=137, asked_mb=2048, used_mb=100), "unknown", None),
        ("FAILED", Details(exit_code=3), "unknown", "ended with exit code 3 and left no word why"),
    ],
)
def test_why(state, details, reason, what):
    failure = explain(state, details, own=None)
    assert failure.reason == reason
    assert failure.what == (what or failure.what)


def test_a_job_that_says_why_itself_is_believed():
    own = {"lines": ["image.tif: truncated; get it anew"], "ours": False, "again": False}
    failure = explain("FAILED", Details(exit_code=1), own=own)
    assert failure.what == "failed: image.tif: truncated; get it anew"
    assert not failure.again


def test_a_job_that_was_told_to_stop():
    assert explain("FAILED", Details(exit_code=1), own=None, last={"status": "stopped"}).reason == "stopped"


@pytest.mark.parametrize(("workers", "failures", "left"), [(64, 0, 64), (64, 1, 32), (5, 1, 2), (2, 3, 1)])
def test_half_the_workers_after_each_failure_for_want_of_memory(workers, failures, left):
    assert halved(workers, failures) == left


def test_failures_are_counted_since_the_job_was_done_and_for_the_same_plan(tmp_path: Path):
    for note in (
        {"status": "failed", "reason": "memory", "digest": "a"},
        {"status": "done", "digest": "a"},
        {"status": "failed", "reason": "memory", "digest": "b"},
        {"status": "failed", "reason": "time", "digest": "a"},
        {"status": "failed", "reason": "memory", "digest": "a"},
        {"status": "running"},
    ):
        add_note(tmp_path, "segment_pack", "s", "1-of-2", note)
    assert count_failures(tmp_path, "segment_pack.s.1-of-2", reason="memory", digest="a") == 1
    assert count_failures(tmp_path, "never", reason="memory", digest="a") == 0


@pytest.mark.parametrize(
    ("text", "mb"),
    [
        ("400M", 400),
        ("2G", 2048),
        ("1.5Gn", 1536),
        ("2048K", 2),
        ("1048576", 1),
        ("0", 0),
        ("", None),
        ("?", None),
    ],
)
def test_amounts_of_memory(text, mb):
    assert to_mb(text) == mb


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("1-02:03:00", 1563), ("02:03:00", 123), ("03:30", 3.5), ("UNLIMITED", None), ("Partition_Limit", None)],
)
def test_durations(text, minutes):
    assert to_minutes(text) == minutes


def test_nothing_is_known_of_a_job_that_the_database_lacks():
    assert parse("", "41") == Details()
    assert parse("42|FAILED|1:0|400M||00:01:00|00:10:00|c1\n", "41") == Details()


def test_names_are_of_the_place_and_are_found_again(tmp_path: Path):
    here = RunPaths(tmp_path / "my results, 2nd")
    assert run_name(here.root).startswith("isthmus-my-results-2nd-")
    assert run_name(here.root) != run_name(tmp_path / "my results, 2rd")
    assert known_names(here) == []
    name = note_name(here)
    assert note_name(here) == name
    assert known_names(here) == [name]


def test_a_moved_folder_keeps_its_names_and_a_copied_one_does_not(tmp_path: Path):
    here = RunPaths(tmp_path / "here")
    name = note_name(here)
    there = RunPaths(tmp_path / "there")
    there.slurm.mkdir(parents=True)
    (there.slurm / "names.jsonl").write_bytes((here.slurm / "names.jsonl").read_bytes() + b"torn {")
    assert known_names(there) == []
    (here.slurm / "names.jsonl").unlink()
    here.slurm.rmdir()
    here.work.rmdir()
    here.root.rmdir()
    assert known_names(there) == [name]


def test_a_folder_behind_a_symbolic_link_is_the_same_folder(tmp_path: Path):
    (tmp_path / "scratch" / "results").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "scratch")
    direct, linked = RunPaths(tmp_path / "scratch" / "results"), RunPaths(tmp_path / "link" / "results")
    name = note_name(direct)
    assert known_names(linked) == [name]
    assert note_name(linked) == name == run_name(linked.root)
    assert head_name(linked.root) == head_name(direct.root)
    assert len((direct.slurm / "names.jsonl").read_text().splitlines()) == 1


def test_names_noted_by_a_symbolic_link_are_known(tmp_path: Path):
    (tmp_path / "results").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "results")
    direct, linked = RunPaths(tmp_path / "results"), RunPaths(tmp_path / "link")
    name = note_name(linked)
    assert known_names(direct) == [name]


def test_a_comment_names_job_and_digest():
    assert PACK.comment == "segment_pack.b2.7-of-12 0123456789abcdef"
    assert JobKey("analyse", "", "", "d").title == "analyse"
    assert JobKey("build_table", "b2", "", "d").title == "build_table of sample b2"


def test_news_are_read_once_and_whole(tmp_path: Path):
    file = tmp_path / "news.jsonl"
    add_news(file, "old")
    reader = NewsReader(file)
    assert list(reader.read()) == []
    add_news(file, "new")
    with file.open("a") as lines:
        lines.write(json.dumps({"text": "cut"})[:5])
    assert list(reader.read()) == ["new"]
    assert list(reader.read()) == []
