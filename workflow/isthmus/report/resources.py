"""metrics/resources.tsv: what every job used."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isthmus.plan.paths import RunPaths

_ENDS = frozenset({"done", "failed", "stopped"})
COLUMNS = ("rule", "sample", "pack", "cpu_s", "wall_s", "max_rss_mb", "files", "attempt")


def read_resources(paths: RunPaths) -> list[dict[str, Any]]:
    """One row for each time a job ended, in the order of their ends."""
    rows = [row for file in sorted(paths.jobs.glob("*.jsonl")) for row in _ended(file)]
    return sorted(rows, key=lambda row: float(row["time"]))


def write_resources(paths: RunPaths) -> list[dict[str, Any]]:
    """Write the table; returns its rows."""
    rows = read_resources(paths)
    paths.resources.parent.mkdir(parents=True, exist_ok=True)
    temporary = paths.resources.with_suffix(".partial")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(paths.resources)
    return rows


def _ended(file: Path) -> Iterator[dict[str, Any]]:
    """The ends of which a job's history tells what was used; a start is an attempt at the next result.

    Notes of what became of it in the queue tell of no use, and what a head notes of a start comes without a process.
    """
    attempt = 0
    for line in file.read_text(errors="replace").splitlines():
        try:
            note = json.loads(line)
        except ValueError:  # cut short by a kill
            continue
        if note["status"] == "running":
            attempt += "pid" in note or "slurm_job" not in note
        elif note["status"] in _ENDS and "cpu_s" in note:
            yield note | {"attempt": attempt}
            if note["status"] == "done":
                attempt = 0
