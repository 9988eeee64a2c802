"""A cluster to try things on: `PYTHONPATH=tests:workflow python -P -m slurm`; it stops at Ctrl-C."""

from __future__ import annotations

import signal
import sys

from filelock import FileLock

from slurm import packages
from slurm.cluster import Cluster
from slurm.conftest import LOCK, ROOT, WAIT_S
from slurm.layout import GENERIC


def main() -> int:
    """Start the generic cluster and wait."""
    if reason := packages.why_not() or packages.install():
        sys.stderr.write(f"{reason}\n")
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with FileLock(LOCK, timeout=WAIT_S):
        cluster = Cluster(ROOT)
        try:
            cluster.start()
            cluster.load(GENERIC)
            sys.stdout.write("ready: sbatch, squeue, sacct work in any shell; Ctrl-C stops it\n")
            sys.stdout.flush()
            signal.pause()
        except KeyboardInterrupt:
            return 0
        finally:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
