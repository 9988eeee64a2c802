"""A small job that looks at a compute node from inside."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from isthmus.doctor.finding import Examination
from isthmus.doctor.measured import as_values
from isthmus.doctor.node import ANSWER, ASKED
from isthmus.doctor.place import examine_cache, examine_clock, examine_gpus
from isthmus.doctor.queues import job_options
from isthmus.sites.model import Site
from isthmus.slurm.commands import NotAnswering, accounted_states, ask, cancel, queued_jobs
from isthmus.slurm.environment import clean_environment

PATIENCE_S = 600.0
_LOOK_EVERY_S = 2.0
_FILES_APPEAR_S = 30.0
_MEMORY_MB = 1000


class Probe:
    """One such job; `folder` is where results would go, which nodes must see."""

    def __init__(self, site: Site, folder: Path, account: str, *, patience_s: float = PATIENCE_S) -> None:
        self._site, self._account, self._patience_s = site, account, patience_s
        self._folder = folder

    def examine(self, found: Examination) -> None:
        """Submit it, wait for its answer, and judge that. The job is cancelled and its folder removed in any case."""
        try:
            shared = Path(tempfile.mkdtemp(prefix=".isthmus-doctor-", dir=self._folder))
        except OSError as error:
            found.error(
                f"folder {self._folder}", f"cannot be written ({error.strerror})", "give another: --folder"
            )
            return
        job = ""
        try:
            began = time.time()
            (shared / ASKED).write_text(secrets.token_hex(8))
            job = self._submit(shared)
            answer = self._wait(found, shared, job)
            if answer is not None:
                self._judge(found, shared, answer, began)
        except NotAnswering as error:
            found.error("probe", f"the job was refused or lost ({error})", "see what the site asks of jobs")
        finally:
            if job:
                with suppress(NotAnswering):
                    cancel([job])
            shutil.rmtree(shared, ignore_errors=True)

    def _submit(self, shared: Path) -> str:
        options = list(job_options(self._site, self._account, memory_mb=_MEMORY_MB).values())
        command = shlex.join([sys.executable, "-P", "-m", "isthmus.doctor.node", str(shared)])
        words = ["sbatch", "--parsable", "--job-name=isthmus-doctor", "--time=5", "--ntasks=1", *options]
        words += [f"--output={shared}/log", f"--chdir={shared}", "--export=ALL"]
        said = ask(
            *words,
            script=f"#!{self._site.interpreter}\nexec {command}\n",
            environment=clean_environment(os.environ),
        )
        return said.strip().split(";")[0]

    def _wait(self, found: Examination, shared: Path, job: str) -> dict[str, Any] | None:
        until, ended_at = time.monotonic() + self._patience_s, 0.0
        state = "PENDING"
        while time.monotonic() < until:
            with suppress(OSError, ValueError):
                return dict(json.loads((shared / ANSWER).read_text()))
            queued = queued_jobs(["isthmus-doctor"]).get(job)
            state = f"{queued.state}, {queued.reason}" if queued else "ended"
            if queued is None or queued.has_ended:
                ended_at = ended_at or time.monotonic()
                if time.monotonic() - ended_at > _FILES_APPEAR_S:
                    self._tell_lost(found, shared, job)
                    return None
            time.sleep(_LOOK_EVERY_S)
        found.not_checked(
            "probe",
            f"job {job} gave no answer within {self._patience_s / 60:.0f} min (state: {state})",
            "try again",
        )
        return None

    def _tell_lost(self, found: Examination, shared: Path, job: str) -> None:
        """The job has ended and left no answer: it failed, which its log tells, or it wrote where we do not read."""
        state = ""
        with suppress(NotAnswering):
            state = accounted_states([job]).get(job, "")
        log = shared / "log"
        if log.exists():
            last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
            found.error(
                "probe",
                f"the job failed on its node ({state or 'state unknown'}): {last[0] if last else 'its log is empty'}",
                "Isthmus and its environment must be seen by the nodes: put them on a shared file system",
            )
        else:
            found.error(
                "shared file system",
                f"job {job} ended ({state or 'state unknown'}), and nothing of it is seen in {self._folder}",
                "give a folder that the nodes see: --folder",
            )

    def _judge(self, found: Examination, shared: Path, answer: dict[str, Any], began: float) -> None:
        node = f"node {answer['host']}"
        if answer["read"] == (shared / ASKED).read_text():
            found.fine("shared file system", f"{self._folder} is seen by {node}")
        else:
            found.error(
                "shared file system", f"{node} reads something else in {self._folder}", "tell the site"
            )
        # It told the time between submission and now: within that, the clocks agree.
        ahead = max(answer["time"] - time.time(), 0.0) or min(answer["time"] - began, 0.0)
        examine_clock(found, f"clock of {node}", ahead)
        examine_clock(found, f"clock of {self._folder}, seen from {node}", answer["clock_skew_s"])
        examine_cache(found, node, answer["kernel_cache"], answer["kernel_cache_writable"])
        found.fine(
            node,
            f"{answer['cores']} hardware threads for the job, {answer['memory_mb']:,} MiB in all,"
            f" {answer['scratch_gb']:.0f} GB free in {answer['scratch']}",
        )
        reached = (
            "reached" if answer["internet"] else "not reached: bring data and models before (`make bundle`)"
        )
        (found.fine if answer["internet"] else found.note)(f"internet from {node}", reached)
        if self._site.node.gpus.value:
            examine_gpus(found, node, answer["gpus"], answer["devices"])
            if not answer["gpus"]:
                found.error(f"GPUs, {node}", "the job asked for one and sees none", "ask the site")
        for key, value in as_values(answer).items():
            found.measure(key, value)
