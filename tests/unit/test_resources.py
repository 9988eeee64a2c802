"""metrics/resources.tsv: a row for each end of a job that tells what was used, on Slurm as elsewhere."""

from __future__ import annotations

import csv
import json

from isthmus.plan.paths import RunPaths
from isthmus.report.resources import write_resources

USED = {"cpu_s": 2.5, "wall_s": 3.0, "max_rss_mb": 120, "files": 4}


def write_history(paths, *notes):
    paths.jobs.mkdir(parents=True)
    job = {"rule": "segment_pack", "sample": "a", "pack": "1-of-2"}
    lines = [json.dumps({**job, "time": float(time), **note}) for time, note in enumerate(notes)]
    (paths.jobs / "segment_pack.a.1-of-2.jsonl").write_text("\n".join(lines) + "\n")


def test_what_happens_in_the_queue_makes_no_rows(tmp_path):
    paths = RunPaths(tmp_path)
    write_history(
        paths,
        {"status": "submitted", "slurm_job": "1", "attempt": 1},
        {"status": "running", "pid": 7, "host": "n1"},
        {"status": "failed", "reason": "node", "slurm_job": "1", "attempt": 1},
        {"status": "submitted", "slurm_job": "2", "attempt": 2},
        {"status": "running", "slurm_job": "2", "attempt": 1},  # a head that takes it over
        {"status": "running", "pid": 8, "host": "n2"},
        {"status": "done", **USED},
        {"status": "removed"},
    )
    (row,) = write_resources(paths)
    assert (row["status"], row["attempt"], row["cpu_s"]) == ("done", 2, 2.5)
    with paths.resources.open() as file:
        (written,) = csv.DictReader(file, delimiter="\t")
    assert (written["attempt"], written["cpu_s"], written["pack"]) == ("2", "2.5", "1-of-2")


def test_failed_and_stopped_attempts_that_tell_what_they_used_are_rows(tmp_path):
    paths = RunPaths(tmp_path)
    write_history(
        paths,
        {"status": "running", "pid": 7},
        {"status": "stopped", **USED},
        {"status": "running", "pid": 8},
        {"status": "failed", **USED},
        {"status": "running", "pid": 9},
        {"status": "done", **USED},
        {"status": "running", "pid": 10},
        {"status": "done", **USED},
    )
    rows = write_resources(paths)
    assert [(row["status"], row["attempt"]) for row in rows] == [
        ("stopped", 1),
        ("failed", 2),
        ("done", 3),
        ("done", 1),
    ]
