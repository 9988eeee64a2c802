"""Names under which jobs of a run are found again, by whichever head comes after."""

from __future__ import annotations

import hashlib
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from isthmus.plan.paths import RunPaths

_LONGEST = 24
_DIGEST = 16


@dataclass(frozen=True)
class JobKey:
    """What a job does: a job of an earlier head with the same key does the same."""

    rule: str
    sample: str
    pack: str
    digest: str

    @property
    def name(self) -> str:
        """Rule, sample and pack in one word."""
        return ".".join(part for part in (self.rule, self.sample, self.pack) if part)

    @property
    def comment(self) -> str:
        """What stands in the job's comment."""
        return f"{self.name} {self.digest[:_DIGEST]}"

    @property
    def title(self) -> str:
        """The job as people call it."""
        if self.pack:
            return f"{self.rule}: pack {self.pack.split('-of-')[0]} of sample {self.sample}"
        return f"{self.rule} of sample {self.sample}" if self.sample else self.rule


def run_name(root: Path) -> str:
    """The name of all Slurm jobs of a results folder, the same for every head: its path without symbolic links."""
    root = root.resolve()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", root.name).strip("-")[:_LONGEST]
    return f"isthmus-{slug or 'run'}-{hashlib.sha256(str(root).encode()).hexdigest()[:10]}"


def head_name(root: Path) -> str:
    """The name of the job that is the head itself."""
    return f"{run_name(root)}-head"


def note_name(paths: RunPaths) -> str:
    """The name for jobs of this results folder, noted there before the first job is submitted under it."""
    name = run_name(paths.root)
    if name not in known_names(paths):
        paths.slurm.mkdir(parents=True, exist_ok=True)
        line = {"name": name, "root": str(paths.root.resolve()), "time": round(time.time())}
        with (paths.slurm / "names.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
    return name


def known_names(paths: RunPaths) -> list[str]:
    """Names under which jobs of this folder were submitted.

    A folder that was moved keeps those of its former place. One that was copied does not: they belong to the original.
    It may be given by a symbolic link or be noted by one.
    """
    names = []
    here = paths.root.resolve()
    with suppress(OSError):
        for line in (paths.slurm / "names.jsonl").read_text(errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                note = json.loads(line)
                noted = Path(note["root"])
                if noted.resolve() == here or not noted.exists():
                    names.append(str(note["name"]))
    return names


def forget_names(paths: RunPaths) -> None:
    """No job of this folder waits or runs any more."""
    (paths.slurm / "names.jsonl").unlink(missing_ok=True)
