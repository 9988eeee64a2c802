"""What a compute node says of itself, in a job: `python -m isthmus.doctor.node FOLDER`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from isthmus.doctor import host

ASKED, ANSWER = "asked", "answer.json"
"""Names in the folder: what the node must be able to read, and what it leaves."""


def main(arguments: list[str]) -> int:
    """Write the answer into the folder given."""
    folder = Path(arguments[0])
    cache, writable = host.kernel_cache()
    scratch = tempfile.gettempdir()
    answer = {
        "host": socket.gethostname(),
        "read": (folder / ASKED).read_text(),
        "time": time.time(),
        "clock_skew_s": host.clock_skew_s(folder),
        "cores": host.cores(),
        "memory_mb": host.memory_mb(),
        "architecture": host.architecture(),
        "internet": host.has_internet(),
        "gpus": host.gpus(),
        "devices": host.runtime_devices(),
        "kernel_cache": str(cache),
        "kernel_cache_writable": writable,
        "scratch": scratch,
        "scratch_gb": shutil.disk_usage(scratch).free / 1e9,
        "job": os.environ.get("SLURM_JOB_ID", ""),
    }
    aside = folder / f".{ANSWER}"
    aside.write_text(json.dumps(answer))
    aside.replace(folder / ANSWER)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
