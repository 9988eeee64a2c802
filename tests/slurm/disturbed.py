"""Runs on the cluster to which something is done while packs are under way, and what is then seen of them."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from slurm.cluster import Cluster
from slurm.on_slurm import TABLE, OnSlurm, end_of, wait_for

_LOOK_EVERY_S = 0.25


class Signs:
    """When a run was seen to do or say something: whenever its news, histories of jobs or journals grow."""

    def __init__(self, results: Path) -> None:
        self._work = results / "work"
        self._seen: list[float] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The run has ended."""
        self._end.set()
        self._thread.join()

    def silences_s(self, since: float) -> list[float]:
        """Seconds from `since` to the first sign, and from each sign to the next, up to now."""
        moments = [since, *(moment for moment in self._seen if moment > since), time.monotonic()]
        return [later - earlier for earlier, later in itertools.pairwise(moments)]

    def _follow(self) -> None:
        before = -1
        while not self._end.wait(_LOOK_EVERY_S):
            size = sum(_size(file) for file in self._files())
            if size != before:
                self._seen.append(time.monotonic())
            before = size

    def _files(self) -> list[Path]:
        kept = ("news.jsonl", "jobs/*.jsonl", "*/*/journal/*.jsonl")
        return [file for pattern in kept for file in self._work.glob(pattern)]


@dataclass
class Disturbed:
    """A run that is under way: `freeze` its packs, do something to it, `hit`, wait for what follows, `end`.

    plain: it is one of Snakemake itself.
    """

    cluster: Cluster
    on_slurm: OnSlurm
    step: str
    plain: bool = False
    frozen: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.run = self._start()
        self._signs = Signs(self.on_slurm.results)
        self._hit = time.monotonic()

    def freeze(self, blocks: int = 1) -> tuple[str, str]:
        """Stop packs when so many blocks are done; name and Slurm job of one of them."""
        self.frozen = self.on_slurm.freeze_packs(self.run, step=self.step, blocks=blocks)
        time.sleep(4 * _LOOK_EVERY_S)  # what they did before is no sign of what comes
        return next(iter(self.frozen.items()))

    def _start(self) -> subprocess.Popen[str]:
        return self.on_slurm.start_plain() if self.plain else self.on_slurm.start(until=TABLE)

    def hit(self) -> None:
        """It has happened now."""
        self._hit = time.monotonic()

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        wait_for(condition, self.run)

    def is_told(self, text: str) -> bool:
        """Whether the run's news hold a text."""
        news = self.on_slurm.results / "work" / "news.jsonl"
        return news.exists() and text in news.read_text()

    def waits_to_begin(self, job: str) -> bool:
        """Whether Slurm has put a job back into the queue for two minutes."""
        return "BeginTime" in self.cluster.call(
            "squeue", "--noheader", "--format=%r", f"--jobs={job}", check=False
        )

    def start_again(self) -> None:
        """Another head, after the first has ended."""
        self.run.communicate()
        self.run = self._start()

    def end(self) -> Undergone:
        """Let frozen packs go on, and the run come to its end."""
        self.on_slurm.thaw()
        code, said = end_of(self.run)
        silences = self._signs.silences_s(self._hit)
        self._signs.stop()
        return Undergone(self.on_slurm, code, said, self.frozen, silences[0], max(silences))


@dataclass(frozen=True)
class Undergone:
    """A run that something was done to: how it ended, and the packs that were under way then, by name.

    told_s: seconds from then to the first sign of the run. silent_s: the longest time without one, up to the end.
    """

    on_slurm: OnSlurm
    code: int
    said: str
    frozen: dict[str, str]
    told_s: float
    silent_s: float

    @property
    def name(self) -> str:
        """The pack that it was done to."""
        return next(iter(self.frozen))

    @property
    def job(self) -> str:
        """Its Slurm job then."""
        return self.frozen[self.name]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
