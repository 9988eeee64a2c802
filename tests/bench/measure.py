"""Run one row of the benchmark in a process of its own: CPU of it and its children, peak memory, files it leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "bench"
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"),
    "1",
)
LIMIT_S = 1200
_MB = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """What a row cost and found; `reason` says why there is no result."""

    cpu_s: float
    peak_mb: float
    files: int
    written_mb: float
    values: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def python_of(environment: str) -> Path:
    """Interpreter of an environment; "" is the project's own."""
    return ROOT / (f".venv-bench-{environment}" if environment else ".venv") / "bin" / "python"


def run_row(target: str, arguments: dict[str, Any], *, environment: str = "") -> Outcome:
    """Run `module:function` of this package with these arguments.

    Parameters
    ----------
    target
        A function of a module of this package. Its keyword `scratch`, an empty folder, is added; it returns a
        dictionary that JSON can hold.
    environment
        The peer's environment, "" for the project's own.
    """
    python = python_of(environment)
    failed = python.parents[1] / "failed.txt"
    if not python.exists() or failed.exists():
        reason = (
            failed.read_text(encoding="utf-8").strip() if failed.exists() else "no environment (make bench)"
        )
        return Outcome(0, 0, 0, 0, reason=f"not installed: {reason}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="row.") as name:
        folder = Path(name)
        scratch, result, errors = folder / "scratch", folder / "result.json", folder / "errors.txt"
        scratch.mkdir()
        request = json.dumps(
            {"target": target, "arguments": arguments, "scratch": str(scratch), "result": str(result)}
        )
        with errors.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                [str(python), "-P", "-W", "ignore", "-m", "bench.row", request],
                env=_environment(environment),
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            tree = _TreeMemory(process.pid)
            status, usage = _wait(process.pid)
            process.returncode = os.waitstatus_to_exitcode(status)
            tree.stop()
        files = [path for path in scratch.rglob("*") if path.is_file()]
        reason, values = "", {}
        if process.returncode == 0 and result.exists():
            values = json.loads(result.read_text(encoding="utf-8"))
        else:
            reason = _why(process.returncode, errors)
        return Outcome(
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_mb=max(usage.ru_maxrss / 1024, tree.peak / _MB),
            files=len(files),
            written_mb=sum(path.stat().st_size for path in files) / _MB,
            values=values,
            reason=reason,
        )


def _environment(name: str) -> dict[str, str]:
    paths = [ROOT / "tests", ROOT / "workflow"]
    own = {
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths),
        "PATH": f"{python_of('').parent}{os.pathsep}{os.environ['PATH']}",
        # numba's cache is not the same for two versions of numba
        "NUMBA_CACHE_DIR": str(CACHE / f"kernels{name and '-'}{name}"),
    }
    return {**os.environ, **ONE_THREAD, **own}


def _wait(pid: int) -> tuple[int, Any]:
    """Wait for a process; past the limit it and its children are ended."""
    ends = time.monotonic() + LIMIT_S
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return status, usage
        if time.monotonic() > ends:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.02)


def _why(code: int, errors: Path) -> str:
    lines = [
        line for line in errors.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
    ]
    if code == -signal.SIGKILL:
        return f"ended: out of memory, or longer than {LIMIT_S} s"
    last = lines[-1].strip() if lines else f"exit code {code}"
    return last.replace(str(ROOT), "").replace("|", "/")[:200]


class _TreeMemory:
    """Largest sum of resident memory of a process and its descendants, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self, pid: int) -> None:
        while not self._ended.wait(0.1):
            try:
                process = psutil.Process(pid)
                tree = [process, *process.children(recursive=True)]
                self.peak = max(self.peak, sum(_resident(one) for one in tree))
            except psutil.NoSuchProcess:
                continue


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def empty_folder(path: Path) -> Path:
    """Make a folder anew."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
