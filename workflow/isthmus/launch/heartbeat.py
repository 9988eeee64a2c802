"""Signs of life of a head: processes of another host cannot be seen, but a file that they touch can."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

EVERY_S = 30.0
DEAD_AFTER_S = 300.0
"""Who has given no sign for so long is taken for dead: far longer than clocks differ and file systems hesitate."""


class Heartbeat:
    """Touches a file now and then, for as long as this process holds it.

    Parameters
    ----------
    file
        The file.
    is_lost
        Whether the file is another's by now.
    on_loss
        Called when it is: somebody has taken this process for dead, which it was as good as.
    """

    def __init__(
        self,
        file: Path,
        is_lost: Callable[[], bool],
        *,
        on_loss: Callable[[], None],
        every_s: float = EVERY_S,
    ) -> None:
        self._file, self._is_lost, self._on_loss, self._every_s = file, is_lost, on_loss, every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more signs."""
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._end.wait(self._every_s):
            if self._is_lost():
                self._on_loss()
                return
            with suppress(OSError):
                now = time.time()  # of this host: servers may have clocks of their own
                os.utime(self._file, (now, now))


def silent_s(file: Path) -> float:
    """Seconds since the last sign; 0 where there is no such file."""
    try:
        return max(0.0, time.time() - file.stat().st_mtime)
    except OSError:
        return 0.0


def end_at_once() -> None:
    """End this process as kill -9 would: its jobs belong to another head now, and must not be cancelled."""
    sys.stderr.write("error: another run has taken this one for dead and goes on with it; this one ends\n")
    sys.stderr.flush()
    os._exit(1)
