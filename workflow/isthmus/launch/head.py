"""The head of a run: there is one at a time, and a dead one leaves no lock behind."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import TracebackType

import psutil

from isthmus.errors import UserError


class Head:
    """A context that holds the results folder for this process."""

    def __init__(self, work: Path) -> None:
        self._file = work / "head.json"

    def __enter__(self) -> Head:
        other = self._read()
        if other and _alive(other):
            raise UserError(
                where=str(self._file.parent.parent),
                found=f"another run is under way here (process {other['pid']} on {other['host']})",
                do="wait for it, stop it, or give another results folder",
            )
        self._file.parent.mkdir(parents=True, exist_ok=True)
        me = psutil.Process()
        self._file.write_text(
            json.dumps({"pid": me.pid, "host": socket.gethostname(), "created": me.create_time()}) + "\n"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.unlink(missing_ok=True)

    def _read(self) -> dict[str, object] | None:
        try:
            return dict(json.loads(self._file.read_text()))
        except (OSError, ValueError):
            return None


def _alive(other: dict[str, object]) -> bool:
    """Whether that process still runs. On another host it cannot be seen: it is taken for alive."""
    if other.get("pid") == os.getpid():
        return False
    if other.get("host") != socket.gethostname():
        return True
    try:
        return bool(psutil.Process(int(str(other["pid"]))).create_time() == other.get("created"))
    except (psutil.Error, ValueError):
        return False
