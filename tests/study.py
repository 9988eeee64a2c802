"""A working directory with samples and a configuration, and the ways to run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
SNAKEFILE = REPOSITORY / "workflow" / "Snakefile"
STARTED: list[subprocess.Popen[str]] = []
"""Runs in the background, so that none outlives its test."""
HEED_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""What a shell starts in the background ignores Ctrl-C, and so would all that it starts; this undoes it."""
ISTHMUS = (sys.executable, "-P", "-m", "isthmus")
SNAKEMAKE = (sys.executable, "-P", "-m", "snakemake", "--snakefile", str(SNAKEFILE))


def environment() -> dict[str, str]:
    """The environment of a user who has installed Isthmus."""
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "workflow"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "400",
        "PYTHONWARNINGS": "default",
    }


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def faults(self) -> list[str]:
        """Lines that tell the user of a fault."""
        return [line for line in self.err.splitlines() if line.startswith("error:")]

    @property
    def text(self) -> str:
        """All that was said, for messages of failed tests."""
        return f"exit code {self.code}\n{self.out}\n{self.err}"


def command(words: Sequence[str], cwd: Path, *, timeout_s: float = 600) -> Ended:
    """Run a command to its end."""
    began = time.monotonic()
    done = subprocess.run(
        list(words),
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


@dataclass
class Study:
    """A folder with `samples.tsv`, `config.yaml` and `out`, the results."""

    folder: Path
    rows: list[dict[str, str]]
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write()

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.folder / "out"

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "config.yaml"

    def write(self) -> None:
        """Write sample sheet and configuration."""
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        lines = [columns, *([row.get(column, "") for column in columns] for row in self.rows)]
        (self.folder / "samples.tsv").write_text("".join("\t".join(line) + "\n" for line in lines))
        self.config.write_text(yaml.safe_dump({"samples": "samples.tsv", "results": "out", **self.options}))

    def words(
        self,
        *,
        sets: Mapping[str, Any] | None = None,
        snakemake: Sequence[str] = (),
        also: Sequence[str] = (),
    ) -> list[str]:
        """The command line of a run; `also` are further options of `isthmus run`."""
        words = [*ISTHMUS, "run", str(self.config), "--cores", "2", *also]
        for key, value in (sets or {}).items():
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
        return [*words, *(["--", *snakemake] if snakemake else [])]

    def run(
        self,
        *,
        sets: Mapping[str, Any] | None = None,
        until: Sequence[str] = (),
        snakemake: Sequence[str] = (),
        also: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> Ended:
        """`isthmus run`; `until` are paths below the results to stop at."""
        targets = [str(self.results.relative_to(self.folder) / path) for path in until]
        words = self.words(sets=sets, snakemake=[*targets, *snakemake], also=also)
        return command(words, cwd or self.folder)

    def start(
        self, *, sets: Mapping[str, Any] | None = None, until: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """`isthmus run` in the background, in a process group of its own."""
        targets = [str(self.results.relative_to(self.folder) / path) for path in until]
        return in_background(self.words(sets=sets, snakemake=targets), self.folder)


def in_background(words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command in a folder, in a process group of its own that heeds Ctrl-C; `end_started` ends it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HEED_CTRL_C, *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    STARTED.append(process)
    return process


def end_started() -> None:
    """End what a failed test has left."""
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def notes(results: Path) -> Iterator[dict[str, Any]]:
    """Every whole line of every job's history."""
    for path in sorted((results / "work" / "jobs").glob("*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                note = json.loads(line)
            except ValueError:
                continue
            if isinstance(note, dict):
                yield note


def jobs_done(results: Path, since: float) -> Counter[str]:
    """How often each rule ended well after a moment (seconds of the epoch)."""
    return Counter(
        note["rule"] for note in notes(results) if note["status"] == "done" and note["time"] >= since
    )


def journal_lines(results: Path, step: str, sample: str = "a") -> int:
    """How many blocks of a step have been computed in this folder, ever."""
    folder = results / "work" / sample / step / "journal"
    return sum(len(path.read_bytes().splitlines()) for path in folder.glob("*.jsonl"))
