"""Start and stop the daemons of a cluster; none outlives its test session for long."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from slurm.packages import path

START_S = 60.0
STOP_S = 20.0


class Daemons:
    """Processes by name. They are noted in a file, so that those of a killed session can be found and ended."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._noted = root / "processes.json"
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, words: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a daemon in the foreground of a session of its own; what it says goes to `log/<name>.out`."""
        with (self._root / "log" / f"{name}.out").open("ab") as log:
            self._started[name] = subprocess.Popen(
                list(words),
                env={**os.environ, "PATH": path(), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._root,
                start_new_session=True,
            )
        self._note()

    def pid(self, name: str) -> int:
        """The process of a daemon."""
        return self._started[name].pid

    def names(self, prefix: str) -> list[str]:
        """Daemons that were started and not stopped."""
        return [name for name in self._started if name.startswith(prefix)]

    def is_alive(self, name: str) -> bool:
        """Whether a daemon runs."""
        return name in self._started and self._started[name].poll() is None

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End a daemon, at once where `kill`."""
        process = self._started.pop(name, None)
        if process is None:
            return
        if not kill:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
        process.kill()
        process.wait(STOP_S)
        self._note()

    def end_those_of_a_killed_session(self) -> None:
        """End what an earlier session noted and could not end."""
        try:
            noted = json.loads(self._noted.read_text())
        except (OSError, ValueError):
            return
        for pid, created in noted.values():
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                if abs(process.create_time() - created) < 1:
                    process.kill()
                    process.wait(STOP_S)

    def _note(self) -> None:
        noted = {}
        for name, process in self._started.items():
            with suppress(psutil.Error):
                noted[name] = (process.pid, psutil.Process(process.pid).create_time())
        self._noted.write_text(json.dumps(noted))


def wait_until(true: Callable[[], bool], what: str, *, seconds: float = START_S, every: float = 0.2) -> None:
    """Wait for something; TimeoutError that names it when it does not come."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)
