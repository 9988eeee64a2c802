"""The histories of the jobs: a file a job, a line for everything that became of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def add_note(jobs: Path, rule: str, sample: str, pack: str, fields: Mapping[str, Any]) -> None:
    """Add a line to a job's history in the folder `jobs`."""
    jobs.mkdir(parents=True, exist_ok=True)
    line = {"rule": rule, "sample": sample, "pack": pack, "time": round(time.time(), 3), **fields}
    name = ".".join(part for part in (rule, sample, pack) if part)
    with (jobs / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def read_notes(jobs: Path, name: str) -> Iterator[dict[str, Any]]:
    """The whole lines of a job's history, the last first; nothing where there is none."""
    try:
        lines = (jobs / f"{name}.jsonl").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in reversed(lines):
        try:
            yield dict(json.loads(line))
        except (ValueError, TypeError):  # cut short by a kill
            continue


def count_failures(jobs: Path, name: str, *, reason: str, digest: str) -> int:
    """How often a job, as it is planned now, has failed for a reason since it was last done."""
    count = 0
    for note in read_notes(jobs, name):
        if note.get("status") == "done":
            break
        count += note.get("reason") == reason and note.get("digest") == digest
    return count
