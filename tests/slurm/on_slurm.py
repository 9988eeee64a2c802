"""Runs of a small study on the cluster, and what tests ask of them and do to them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from study import ISTHMUS, SNAKEMAKE, Study, in_background, journal_lines
from tissue_sample import write_sample

PATIENCE_S = 400.0
STITCHED = "work/a/stitch_labels.json"
TABLE = "a/cells.h5ad"
STEPS = ("segment_pack", "quantify_pack")
PACKS = ("1-of-2", "2-of-2")
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


@dataclass(frozen=True)
class Bases:
    """One study at several stages, made on this machine and left alone: before the packs of each step, and `whole`
    with its table."""

    before: Mapping[str, Study]
    whole: Study

    @classmethod
    def make(cls, folder: Path) -> Bases:
        """Make them in a folder."""
        options = {"execution": {"block_px": 256, "packs": len(PACKS), "keep_intermediates": True}}
        surveyed = Study(folder / "surveyed", [write_sample(folder / "surveyed")], options)
        _reach(surveyed, "work/a/survey.json", "work/a/import_transcripts.json")
        stitched = copy_of(surveyed, folder / "stitched")
        _reach(stitched, STITCHED)
        whole = copy_of(stitched, folder / "whole")
        _reach(whole, TABLE)
        return cls(dict(zip(STEPS, (surveyed, stitched), strict=True)), whole)


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

    def plain_words(self, *more: str) -> list[str]:
        """The command line of Snakemake itself for such a run."""
        target = str((self.results / TABLE).relative_to(self.study.folder))
        words = [*SNAKEMAKE, target, "--configfile", str(self.study.config), "--profile", str(self.profile)]
        return [*words, *more]

    def start_plain(self) -> subprocess.Popen[str]:
        """Snakemake itself on the cluster, in the background."""
        return in_background(self.plain_words(), self.study.folder)

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
        self, process: subprocess.Popen[str] | None = None, *, step: str = "segment_pack", blocks: int = 1
    ) -> dict[str, str]:
        """Wait until packs have done so many blocks (0: have begun), then stop them in their tracks; the Slurm jobs
        that run, by name, that which has done most first."""
        wait_for(lambda: self.blocks_computed(step) >= blocks and self._running(step), process)
        frozen = {
            name: self.slurm_jobs(name)[-1] for name, pid in self._running(step).items() if signal_tree(pid)
        }
        assert frozen, "the packs were too fast for this test"
        return dict(sorted(frozen.items(), key=lambda item: -self._blocks_of(item[0])))

    def _running(self, step: str) -> dict[str, int]:
        """Process ids of the packs of a step that have begun and not ended, by name."""
        last = {name: self.notes(name)[-1:] for name in (f"{step}.a.{pack}" for pack in PACKS)}
        return {
            name: note["pid"]
            for name, notes in last.items()
            for note in notes
            if note["status"] == "running" and "pid" in note
        }

    def _blocks_of(self, name: str) -> int:
        step, sample, pack = name.split(".")
        file = self.results / "work" / sample / step / "journal" / f"{pack}.jsonl"
        return len(file.read_bytes().splitlines()) if file.exists() else 0

    def thaw(self) -> None:
        """Let frozen packs go on."""
        for step in STEPS:
            for note in (note for pack in PACKS for note in self.notes(f"{step}.a.{pack}")):
                if "pid" in note:
                    signal_tree(note["pid"], signal.SIGCONT)


def _reach(study: Study, *until: str) -> None:
    ended = study.run(until=until)
    assert ended.code == 0, ended.text


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
