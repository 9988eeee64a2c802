"""The head of a run: there is one at a time, and a dead one leaves no lock behind."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from isthmus.errors import UserError
from isthmus.slurm.commands import NotAnswering
from isthmus.slurm.orphans import alive_of


class Head:
    """Holds a results folder for this process; a context for `isthmus run`, two calls for Snakemake itself."""

    def __init__(self, work: Path) -> None:
        self._file = work / "head.json"

    def __enter__(self) -> Head:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def take(self) -> None:
        """Take the folder. A process below the one that holds it works on its behalf and takes nothing."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        me = psutil.Process()
        mine = {"pid": me.pid, "host": socket.gethostname(), "created": me.create_time()}
        if job := os.environ.get("SLURM_JOB_ID"):
            mine["slurm_job"] = job
        while True:
            if self._claim(json.dumps(mine) + "\n"):
                return
            other = self._read()
            if other and _alive(other):
                if _is_above(other, me):
                    return
                raise UserError(
                    where=str(self._file.parent.parent),
                    found=f"another run is under way here (process {other['pid']} on {other['host']})",
                    do=f"wait for it, stop it, or give another results folder (if it is gone: delete {self._file})",
                )
            self._file.unlink(missing_ok=True)

    def _claim(self, text: str) -> bool:
        """Put the file there whole, unless there is one."""
        aside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        aside.write_text(text)
        try:
            os.link(aside, self._file)
        except FileExistsError:
            return False
        finally:
            aside.unlink()
        return True

    def is_above(self) -> bool:
        """Whether the folder is held by a living process that started this one."""
        other = self._read()
        me = psutil.Process()
        return other is not None and other.get("pid") != me.pid and _alive(other) and _is_above(other, me)

    def release(self) -> None:
        """Give the folder back, if this process holds it."""
        if self.is_held_here():
            self._file.unlink(missing_ok=True)

    def is_held_here(self) -> bool:
        """Whether this very process holds the folder, not one that it works for."""
        other = self._read()
        return bool(other and other.get("pid") == os.getpid() and other.get("host") == socket.gethostname())

    def _read(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self._file.read_text(errors="replace")))
        except (OSError, ValueError):
            return None


def is_held(work: Path) -> bool:
    """Whether a living process holds the results folder of these intermediates."""
    other = Head(work)._read()
    return other is not None and _alive(other)


def _alive(other: dict[str, Any]) -> bool:
    """Whether that process still runs. On another host it cannot be seen: taken for alive unless its job is over."""
    if other.get("host") != socket.gethostname():
        return not _is_over(str(other.get("slurm_job", "")))
    try:
        return bool(psutil.Process(int(str(other["pid"]))).create_time() == other.get("created"))
    except (psutil.Error, ValueError, KeyError):
        return False


def _is_over(job: str) -> bool:
    """Whether a Slurm job in which a head ran has ended, or is this one, put back into the queue."""
    if not job:
        return False
    if job == os.environ.get("SLURM_JOB_ID"):
        return True
    try:
        return not alive_of([job])
    except NotAnswering:
        return False


def _is_above(other: dict[str, Any], me: psutil.Process) -> bool:
    """Whether that process started this one."""
    same_host = other.get("host") == socket.gethostname()
    return same_host and other.get("pid") in [me.pid, *(parent.pid for parent in me.parents())]
