"""What every job of the workflow has around it: log, record of use, one-line errors, and an end with its parent."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from isthmus.errors import EXIT_OURS, EXIT_USER, UserError, UserErrors, fault_of_place
from isthmus.packs.death import MEMORY
from isthmus.packs.pool import die_with_parent
from isthmus.packs.runner import BlocksFailed
from isthmus.packs.stop import EXIT_STOPPED, Stopped
from isthmus.plan.history import add_note, count_failures
from isthmus.plan.model import RunPlan, SamplePlan, read_plan
from isthmus.plan.paths import RunPaths, SamplePaths

log = logging.getLogger(__name__)

_SAMPLE_EVERY_S = 0.25
_MB = 1024 * 1024


class Job:
    """A context for one job.

    Parameters
    ----------
    rule
        The workflow's name of the step.
    results
        The results folder.
    sample, pack
        What it works on; empty where the rule works on all samples, or not in packs.
    log_file
        Where it logs to.
    outputs
        Files it leaves; their sizes are recorded, so that a truncated one is noticed later.
    """

    def __init__(
        self,
        rule: str,
        *,
        results: str,
        log_file: str,
        outputs: Sequence[str],
        sample: str = "",
        pack: str = "",
    ) -> None:
        self.rule, self.sample_name, self.pack = rule, sample, pack
        self.paths = RunPaths(Path(results).resolve())
        self.log_file = Path(log_file).resolve()
        self.outputs = [Path(output).resolve() for output in outputs]
        self.n_files = 0
        self._meter = _Meter()

    @cached_property
    def plan(self) -> RunPlan:
        """The plan of the run."""
        return read_plan(self.paths.plan)

    @property
    def sample(self) -> SamplePlan:
        """The plan of the job's sample."""
        return self.plan.sample(self.sample_name)

    @property
    def sample_paths(self) -> SamplePaths:
        """The paths of the job's sample."""
        return self.paths.sample(self.sample_name)

    @property
    def digest(self) -> str:
        """What the job's result depends on."""
        return self.plan.digest(self.rule, self.sample_name)

    @property
    def name(self) -> str:
        """Rule, sample and pack in one word."""
        return ".".join(part for part in (self.rule, self.sample_name, self.pack) if part)

    @property
    def title(self) -> str:
        """The job as people call it."""
        words = (
            self.rule,
            self.sample_name and f"sample {self.sample_name}",
            self.pack and f"pack {self.pack}",
        )
        return ", ".join(word for word in words if word)

    def workers(self, planned: int) -> int:
        """Workers to use: half as many for each time that the job ran out of memory since it was last done."""
        failures = count_failures(self.paths.jobs, self.name, reason=MEMORY, digest=self.digest)
        workers = max(1, planned >> failures)
        if workers < planned:
            log.warning("%d workers instead of %d: it ran out of memory before", workers, planned)
        return workers

    def write_record(self, path: Path, fields: Mapping[str, Any]) -> None:
        """Write the job's record, whole or not at all."""
        write_json(path, {"rule": self.rule, "digest": self.digest, **fields})

    def __enter__(self) -> Job:
        die_with_parent()
        self._start_log()
        (self.paths.errors / f"{self.name}.json").unlink(missing_ok=True)
        self._note({"status": "running", "pid": os.getpid(), "host": socket.gethostname()})
        self._meter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        usage = self._meter.stop()
        missing = [path.name for path in self.outputs if not path.exists()]
        if error is None and missing:
            error = RuntimeError(f"the job left no {', '.join(missing)}")
        if error is None:
            sizes = {str(path.relative_to(self.paths.root)): path.stat().st_size for path in self.outputs}
            files = self.n_files + len(sizes)
            self._note({"status": "done", "digest": self.digest, "files": files, "outputs": sizes, **usage})
            return
        if not isinstance(error, UserError):
            error = fault_of_place(error) or error
        if isinstance(error, Stopped):
            log.warning("told to stop: what is finished is kept")
            self._note({"status": "stopped", "files": self.n_files, **usage})
            sys.exit(EXIT_STOPPED)
        reason = {"reason": error.reason, "digest": self.digest} if isinstance(error, BlocksFailed) else {}
        with suppress(
            OSError
        ):  # a full disk does not take this either: what went wrong is to be told all the same
            self._note({"status": "failed", "files": self.n_files, **reason, **usage})
        self._tell(error)

    def _tell(self, error: BaseException) -> None:
        """Leave the error where the head finds it, and end: 1 if the user can mend it, 2 if it is ours."""
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            log.warning("interrupted")
            return
        log.error("failed", exc_info=error)
        mine = not isinstance(error, UserError)
        errors = error.errors if isinstance(error, UserErrors) else (error,)
        lines = [f"{type(e).__name__}: {e}" if mine else str(e) for e in errors]
        with suppress(OSError):
            write_json(
                self.paths.errors / f"{self.name}.json",
                {
                    "job": self.title,
                    "ours": mine,
                    "lines": lines,
                    "log": str(self.log_file),
                    "again": error.again if isinstance(error, BlocksFailed) else mine,
                    "reason": error.reason if isinstance(error, BlocksFailed) else "error",
                },
            )
        for line in lines:
            print(f"error: {self.title}: {line}", file=sys.stderr)  # noqa: T201 - the job's own last words
        sys.exit(EXIT_OURS if mine else EXIT_USER)

    def _start_log(self) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(message)s",
            handlers=[logging.FileHandler(self.log_file, mode="w"), logging.StreamHandler(sys.stderr)],
            force=True,
        )
        logging.getLogger("numba").setLevel(logging.WARNING)
        logging.captureWarnings(True)
        warnings.simplefilter("default")

    def _note(self, fields: Mapping[str, Any]) -> None:
        """Add a line to the job's history."""
        add_note(self.paths.jobs, self.rule, self.sample_name, self.pack, fields)


class _Meter:
    """CPU seconds, wall seconds and largest resident memory of this process and all below it."""

    def __init__(self) -> None:
        self._cpu_s: dict[int, float] = {}
        self._max_rss = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="meter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> dict[str, float]:
        self._ended.set()
        self._thread.join()
        self._sample()
        return {
            "cpu_s": round(sum(self._cpu_s.values()), 2),
            "wall_s": round(_seconds_since_start(), 2),
            "max_rss_mb": round(self._max_rss / _MB, 1),
        }

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        me = psutil.Process()
        rss = 0
        for process in (me, *me.children(recursive=True)):
            try:
                times = process.cpu_times()
                rss += process.memory_info().rss
            except psutil.Error:
                continue
            self._cpu_s[process.pid] = times.user + times.system
        self._max_rss = max(self._max_rss, rss)


def _seconds_since_start() -> float:
    """How long this process has been there, to the hundredth: by the clock it would be up to a second too long."""
    now: float = time.time()
    if hasattr(time, "CLOCK_BOOTTIME"):
        # The kernel tells the moment of boot, to which that of the start is added, in whole seconds: it cancels out.
        now = time.clock_gettime(time.CLOCK_BOOTTIME) + psutil.boot_time()
    started: float = psutil.Process().create_time()
    return now - started


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1) + "\n")
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that a job left."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            where=str(path),
            found=f"a job's record cannot be read ({error})",
            do="run again with `isthmus run`, which repairs it",
        ) from None
