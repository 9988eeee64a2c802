"""What can be seen of the machine that this runs on: a login node, a laptop, a compute node."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

import isthmus

OUTSIDE = "https://github.com"
"""An address that every machine with internet reaches, by its proxy if it has one."""

_ANSWER_S = 10.0
_GPU_COMMANDS = (("nvidia-smi", "-L"), ("rocm-smi", "--showid"))


def cores() -> int:
    """Hardware threads that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def memory_mb() -> int:
    """Memory of the machine, MiB."""
    return int(psutil.virtual_memory().total >> 20)


def architecture() -> str:
    """Instruction set, as Linux calls it."""
    return platform.machine()


def has_internet() -> bool:
    """Whether an address outside answers."""
    request = urllib.request.Request(OUTSIDE, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def gpus() -> list[str]:
    """GPUs that the vendor's tools see, a line each."""
    for command in _GPU_COMMANDS:
        if shutil.which(command[0]) is None:
            continue
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("GPU")]
        seen = {line.split(":", 1)[0]: line for line in lines}
        if done.returncode == 0 and seen:
            return list(seen.values())
    return []


def runtime_devices() -> list[str]:
    """Kinds of device that the runtime of networks can use; nothing where it is not installed."""
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        return []
    return [str(name).removesuffix("ExecutionProvider") for name in runtime.get_available_providers()]


def kernel_cache() -> tuple[Path, bool]:
    """Where compiled kernels are kept, and whether this process may write there."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(given) if given else Path(isthmus.__file__).parent / "segment" / "__pycache__"
    if _is_writable(folder):
        return folder, True
    if given:
        return folder, False
    aside = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
    return aside, _is_writable(aside)


def clock_skew_s(folder: Path) -> float | None:
    """Seconds by which the clock of a folder's file system is ahead of this machine's; None where it takes no file."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".isthmus-") as file:
            before = time.time()
            os.utime(file.fileno())
            there = os.fstat(file.fileno()).st_mtime
            after = time.time()
    except OSError:
        return None
    return min(there - before, 0.0) or max(there - after, 0.0)


def room(folder: Path) -> tuple[float, int | None]:
    """GB free, and files that a file system still takes; None where it does not say."""
    of = os.statvfs(folder)
    return of.f_bavail * of.f_frsize / 1e9, of.f_favail if of.f_files else None


def _is_writable(folder: Path) -> bool:
    there = next((at for at in (folder, *folder.parents) if at.exists()), None)
    if there is None:
        return False
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".isthmus-"):
            return True
    except OSError:
        return False
