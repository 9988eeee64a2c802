"""Runs of a small study on the cluster, and what tests ask of them and do to them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml
from study import ISTHMUS, Study, in_background, journal_lines

PATIENCE_S = 240.0
STITCHED = "work/a/stitch_labels.json"
PACKS = ("segment_pack.a.1-of-2", "segment_pack.a.2-of-2")
PROFILE = {
    "executor": "isthmus-slurm",
    "jobs": 20,
    "retries": 2,
    "latency-wait": 20,
    "rerun-triggers": ["mtime", "params", "software-env"],
    "rerun-incomplete": True,
    "keep-going": True,
    "show-failed-logs": False,
    "isthmus-slurm-poll-seconds": 5,
}


class OnSlurm:
    """A study on the cluster; `resources` are its default resources, `rules` those of single rules."""

    def __init__(
        self, study: Study, resources: dict[str, Any] | None = None, **rules: dict[str, Any]
    ) -> None:
        self.study = study
        self.profile = study.folder / "profile"
        self.profile.mkdir(exist_ok=True)
        asked = {"slurm_account": "project_465", "slurm_partition": "shared", "mem_mb": 1000, "runtime": 10}
        options = {**PROFILE, "default-resources": {**asked, **(resources or {})}}
        if rules:
            options["set-resources"] = rules
        (self.profile / "config.yaml").write_text(yaml.safe_dump(options))

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.study.results

    def start(self, *more: str, until: str = STITCHED, wait: bool = False) -> subprocess.Popen[str]:
        """`isthmus run` on the cluster, in the background."""
        words = [
            *ISTHMUS,
            "run",
            str(self.study.config),
            "--profile",
            str(self.profile),
            "--cores",
            "2",
            *more,
        ]
        words += ["--", str((self.results / until).relative_to(self.study.folder))] if until else []
        return in_background(words, self.study.folder)

    def run(self, *more: str, until: str = STITCHED) -> tuple[int, str]:
        """`isthmus run` to its end: exit code, and all that was said."""
        return end_of(self.start(*more, until=until))

    def notes(self, job: str) -> list[dict[str, Any]]:
        """The history of a job."""
        found = []
        with suppress(OSError):
            for line in (self.results / "work" / "jobs" / f"{job}.jsonl").read_text().splitlines():
                with suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def slurm_jobs(self, job: str) -> list[str]:
        """Ids of the Slurm jobs that a head had for a job, one for each time that it was submitted or taken over."""
        return [
            note["slurm_job"]
            for note in self.notes(job)
            if note["status"] != "failed" and "slurm_job" in note
        ]

    def blocks_computed(self, step: str = "segment_pack") -> int:
        """How many blocks of a step were computed, ever."""
        return journal_lines(self.results, step)

    def freeze_packs(
        self, process: subprocess.Popen[str] | None = None, *, blocks: int = 1
    ) -> dict[str, str]:
        """Wait until packs have done some blocks, then stop them in their tracks; the Slurm jobs that run, by name."""
        wait_for(lambda: self.blocks_computed() >= blocks, process)
        frozen = {}
        for name in PACKS:
            notes = self.notes(name)
            if (
                notes
                and notes[-1]["status"] == "running"
                and "pid" in notes[-1]
                and signal_tree(notes[-1]["pid"])
            ):
                frozen[name] = self.slurm_jobs(name)[-1]
        assert frozen, "the packs were too fast for this test"
        return frozen

    def thaw(self) -> None:
        """Let frozen packs go on."""
        for name in PACKS:
            for note in self.notes(name):
                if "pid" in note:
                    signal_tree(note["pid"], signal.SIGCONT)


def signal_tree(pid: int, number: signal.Signals = signal.SIGSTOP) -> bool:
    """A signal for a process and all below it; false where there is none."""
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is so; the run must not end before."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if process is not None:
            assert process.poll() is None, f"the run ended with {process.returncode}: {process.communicate()}"
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code of a run, and all that it said."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    return process.returncode, out + err


def copy_of(study: Study, folder: Path) -> Study:
    """A study with all that was done in it, elsewhere."""
    shutil.copytree(study.folder, folder, symlinks=True)
    return Study(folder, [dict(row) for row in study.rows], dict(study.options))
