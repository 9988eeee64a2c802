"""What jobs have noted of the files that they wrote, and whether the files are still so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import UserError
from isthmus.launch.jobs import last_note, planned_jobs, published_jobs
from isthmus.packs.journal import file_crc
from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths

RUN_AGAIN = "run again with `isthmus run`, which makes it again"

Place = Callable[[str], str]
"""A path below the results as users see it."""


@dataclass(frozen=True)
class Noted:
    """A file as it was when its job ended: size in bytes, CRC-32 where it was taken, name of the job."""

    size: int
    crc: int | None
    job: str


def noted_files(plan: RunPlan, paths: RunPaths) -> dict[str, Noted]:
    """Every file that a job which is done has noted, by its path below the results.

    What the job's own record says counts; where that went with `work/`, `metrics/published.json` does.
    """
    found: dict[str, Noted] = {}
    published = published_jobs(paths)
    for rule, sample, pack in planned_jobs(plan):
        name = ".".join(part for part in (rule, sample, pack) if part)
        digest, note, later = plan.digest(rule, sample), last_note(paths, name), published.get(name, {})
        if note and (note.get("status") != "done" or note.get("digest") != digest):
            continue
        outputs: dict[str, int] = note.get("outputs", {})
        found.update({path: Noted(size, None, name) for path, size in outputs.items()})
        if later.get("digest") == digest and (not note or later.get("time") == note.get("time")):
            found.update({path: Noted(size, crc, name) for path, (size, crc) in later["files"].items()})
        for path in outputs:
            found.update(
                {file: Noted(size, crc, name) for file, (size, crc) in _record(paths.root / path).items()}
            )
    return found


def faults_of_files(root: Path, noted: dict[str, Noted], place: Place, bad: set[str]) -> Iterator[UserError]:
    """A fault for every noted file that is missing or not as it was; their paths are added to `bad`."""
    for path, of in sorted(noted.items()):
        found = _difference(root / path, of)
        if found:
            bad.add(path)
            yield UserError(where=place(path), found=f"{found}, {of.job} wrote it", do=RUN_AGAIN)


def faults_of_strangers(
    root: Path, folder: Path, noted: dict[str, Noted], place: Place
) -> Iterator[UserError]:
    """A fault for every file in a store that no job has noted."""
    for file in sorted(folder.rglob("[!.]*")):
        path = file.relative_to(root).as_posix()
        if path not in noted and file.is_file():
            yield UserError(where=place(path), found="no job has written this file", do="delete it")


def faults_of_note(paths: RunPaths, place: Place) -> Iterator[UserError]:
    """A fault where the note of published files is there and cannot be read."""
    if paths.published.exists() and not published_jobs(paths):
        yield UserError(
            where=place("metrics/published.json"),
            found="it cannot be read: with work/ deleted, nothing tells what was written",
            do="run again with `isthmus run`, which writes it again",
        )


def _difference(file: Path, of: Noted) -> str:
    """How a file differs from what was noted; empty where it does not."""
    try:
        size = file.stat().st_size
        if size != of.size:
            return f"has {size:,} bytes instead of {of.size:,}"
        if of.crc is not None and file_crc(file) != of.crc:
            return "its bytes are not those that were written"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def _record(output: Path) -> dict[str, list[int]]:
    """The files that an output names, if it is a job's record that can be read."""
    if output.suffix != ".json":
        return {}
    try:
        return dict(json.loads(output.read_text()).get("shards", {}))
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
