"""The head of a run: there is one at a time, and a dead one leaves no lock behind."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from isthmus.errors import UserError
from isthmus.launch.heartbeat import DEAD_AFTER_S, Heartbeat, end_at_once, silent_s
from isthmus.slurm.commands import NotAnswering
from isthmus.slurm.orphans import alive_of

_CLOCK_MOVES_S = 60.0
"""By so much the start of a process may seem to move when the clock is set; hardly another one had its number then."""


class Head:
    """Holds a results folder for this process; a context for `isthmus run`, two calls for Snakemake itself."""

    def __init__(self, work: Path) -> None:
        self._file = work / "head.json"
        self._heartbeat: Heartbeat | None = None
        self.told = ""
        """Of whom the folder was taken over though he may be elsewhere; empty where that is not so."""

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
        mine: dict[str, Any] = {"pid": me.pid, "host": socket.gethostname(), "created": me.create_time()}
        mine["beats"] = True
        if job := os.environ.get("SLURM_JOB_ID"):
            mine["slurm_job"] = job
        while True:
            if self._claim(json.dumps(mine) + "\n"):
                self._heartbeat = Heartbeat(self._file, self._is_lost, on_loss=end_at_once)
                return
            other = self._read()
            silence = silent_s(self._file)
            if other and _alive(other, silence):
                if _is_above(other, me):
                    return
                raise UserError(
                    where=str(self._file.parent.parent),
                    found=f"another run is under way here (process {other['pid']} on {other['host']}"
                    f"{_last_sign(other, silence)})",
                    do=f"wait for it, stop it, or give another results folder ({self._if_gone(other)})",
                )
            if other and other.get("host") != socket.gethostname():
                self.told = f"the head on {other.get('host')} is taken for dead{_last_sign(other, silence)}"
            self._drop(other)

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

    def _drop(self, other: dict[str, Any] | None) -> None:
        """Remove the file of this dead head; one that somebody has put there meanwhile stays."""
        aside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            self._file.rename(aside)
            if _read(aside) != other:
                with suppress(FileExistsError):
                    os.link(aside, self._file)
            aside.unlink()

    def _if_gone(self, other: dict[str, Any]) -> str:
        if other.get("beats") and not other.get("slurm_job") and other.get("host") != socket.gethostname():
            return f"if it is gone: run again {DEAD_AFTER_S / 60:.0f} min after its last sign"
        return f"if it is gone: delete {self._file}"

    def is_above(self) -> bool:
        """Whether the folder is held by a living process that started this one."""
        other = self._read()
        me = psutil.Process()
        return (
            other is not None and other.get("pid") != me.pid and _alive(other, 0.0) and _is_above(other, me)
        )

    def release(self) -> None:
        """Give the folder back, if this process holds it."""
        if self._heartbeat:
            self._heartbeat.stop()
            self._heartbeat = None
        if self.is_held_here():
            self._file.unlink(missing_ok=True)

    def is_held_here(self) -> bool:
        """Whether this very process holds the folder, not one that it works for."""
        other = self._read()
        return bool(other and other.get("pid") == os.getpid() and other.get("host") == socket.gethostname())

    def _is_lost(self) -> bool:
        """Whether another process holds the folder; a file that cannot be read now says nothing."""
        return self._read() is not None and not self.is_held_here()

    def _read(self) -> dict[str, Any] | None:
        return _read(self._file)


def is_held(work: Path) -> bool:
    """Whether a living process holds the results folder of these intermediates."""
    file = work / "head.json"
    other = _read(file)
    return other is not None and _alive(other, silent_s(file))


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(file.read_text(errors="replace")))
    except (OSError, ValueError):
        return None


def _last_sign(other: dict[str, Any], silence_s: float) -> str:
    """When a process on another host has last given a sign."""
    if other.get("host") == socket.gethostname() or not other.get("beats"):
        return ""
    ago = f"{silence_s:.0f} s" if silence_s < 120 else f"{silence_s / 60:.0f} min"
    return f", last sign {ago} ago"


def _alive(other: dict[str, Any], silence_s: float) -> bool:
    """Whether that process still runs.

    On another host it cannot be seen: it is taken for alive unless its Slurm job is over or, where it has none, it has
    given no sign for some minutes.
    """
    if other.get("host") != socket.gethostname():
        if job := str(other.get("slurm_job", "")):
            return not _is_over(job)
        return not other.get("beats") or silence_s < DEAD_AFTER_S
    try:
        created: float = psutil.Process(int(str(other["pid"]))).create_time()
        return abs(created - float(other["created"])) < _CLOCK_MOVES_S
    except (psutil.Error, ValueError, KeyError, TypeError):
        return False


def _is_over(job: str) -> bool:
    """Whether a Slurm job in which a head ran has ended, or is this one, put back into the queue."""
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
