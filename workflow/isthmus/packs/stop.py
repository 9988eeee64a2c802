"""Being told to stop: by the scheduler, some time before a job's time is up, or by a signal before it is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

EXIT_STOPPED = 75
"""Exit code of a job that was told to stop: what it has finished is kept, and it can go on later."""

_FILE, _SECONDS = "ISTHMUS_WARNED", "ISTHMUS_WARNED_S"
_DEFAULT_S = 60.0


class Stopped(Exception):
    """Work came to an end because it was told to, not because of a fault."""


class Stop:
    """Whether work has been told to stop, and how long what is under way may take.

    The warning comes as the file named by ISTHMUS_WARNED, whose presence is looked for, or as SIGUSR1, and leaves
    ISTHMUS_WARNED_S seconds; SIGTERM leaves none.
    """

    def __init__(self, file: Path | None = None, *, grace_s: float = _DEFAULT_S) -> None:
        self._file, self._grace_s = file, grace_s
        self._until: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Stop:
        """As the job's batch script says."""
        name, seconds = environment.get(_FILE), environment.get(_SECONDS, "")
        return cls(
            Path(name) if name else None, grace_s=float(seconds) if seconds.isdecimal() else _DEFAULT_S
        )

    def tell(self, *, grace_s: float) -> None:
        """Stop, with so many seconds for what is under way."""
        until = time.monotonic() + grace_s
        self._until = until if self._until is None else min(self._until, until)

    @property
    def told(self) -> bool:
        """Whether to stop."""
        if self._until is None and self._file is not None and self._file.exists():
            self.tell(grace_s=self._grace_s)
        return self._until is not None

    @property
    def is_due(self) -> bool:
        """Whether what is under way must be given up now."""
        return self.told and self._until is not None and time.monotonic() >= self._until

    @contextmanager
    def heeding_signals(self) -> Iterator[Stop]:
        """Heed SIGUSR1 and SIGTERM within this, where signals can be heeded: in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._heed) for number in (signal.SIGUSR1, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heed(self, number: int, frame: FrameType | None) -> None:
        self.tell(grace_s=0.0 if number == signal.SIGTERM else self._grace_s)
