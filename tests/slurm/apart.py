"""A cluster for each process of tests: they see files of their own where Slurm looks for its configuration."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

from slurm.packages import CONFIGURATION

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS, which Python names since 3.12


def number_of_process() -> int:
    """Which of the processes that tests run in side by side this is; 0 where there is one."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def see_own_configuration(folder: Path) -> bool:
    """Put a folder in the place of Slurm's configuration, for this thread and all that it starts from now on.

    False where this machine does not allow it, as most containers; nothing has changed then.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
    return all(
        subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0
        for words in (("--make-rprivate", "/"), ("--bind", str(folder), str(CONFIGURATION.parent)))
    )
