"""Why a worker died: killed for want of memory, killed from outside, or crashed by a fault."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_ENDED_BY_POOL = -signal.SIGTERM
MEMORY, KILLED, CRASH = "memory", "killed", "crash"


class WorkerDied(Exception):
    """A worker process ended without a word; `reason` is memory, killed or crash."""

    def __init__(self, text: str, reason: str = KILLED) -> None:
        self.reason = reason
        super().__init__(text, reason)

    def __str__(self) -> str:
        return str(self.args[0])


def memory_kills(own: Path = Path("/proc/self/cgroup"), groups: Path = _GROUPS) -> int:
    """How many processes of this job the kernel has killed for want of memory; 0 where it does not tell."""
    return sum(_kills(file) for file in _counters(own, groups))


def cause_of_death(exit_codes: Iterable[int | None], *, memory_kills: int) -> WorkerDied:
    """Why workers died.

    Parameters
    ----------
    exit_codes
        Of the processes of a broken pool, negative numbers for signals; the pool itself ends the survivors.
    memory_kills
        How many processes the kernel has killed for want of memory meanwhile.
    """
    codes = [code for code in exit_codes if code not in (None, 0, _ENDED_BY_POOL)]
    if memory_kills > 0:
        return WorkerDied("its worker was killed for want of memory", MEMORY)
    if not codes or -signal.SIGKILL in codes:
        return WorkerDied("its worker was killed, most often for want of memory", KILLED)
    code = codes[0]
    if code < 0:
        return WorkerDied(f"its worker crashed ({signal.Signals(-code).name})", CRASH)
    return WorkerDied(f"its worker ended with exit code {code}", CRASH)


def _counters(own: Path, groups: Path) -> Iterator[Path]:
    """The kernel's counters for the control group of this process: of version 2, and of version 1 up to its job."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        folder = groups / group.strip("/") if not controllers else groups / "memory" / group.strip("/")
        if not controllers:
            yield folder / "memory.events"
        elif "memory" in controllers.split(","):
            while folder not in (groups / "memory", groups):
                yield folder / "memory.oom_control"
                folder = folder.parent


def _kills(file: Path) -> int:
    try:
        found = _KILLS.search(file.read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
