"""The programs of Slurm: whether this machine can have them, and getting them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "munged": "munge",
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
}
CONFIGURATION = Path("/etc/slurm/slurm.conf")


def why_not() -> str:
    """Why no Slurm can be started here, in one line; empty where it can."""
    if os.geteuid() != 0:
        return "needs root to start a Slurm"
    if CONFIGURATION.exists() and not CONFIGURATION.is_symlink():
        return f"this machine has a Slurm of its own ({CONFIGURATION})"
    if _missing() and not shutil.which("apt-get"):
        return f"needs apt-get to install {', '.join(_missing())}"
    return ""


def install() -> str:
    """Install what is missing; what went wrong in one line, empty where nothing did."""
    if not _missing():
        return ""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *_missing()],
    ):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{' '.join(words)} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    return ""


def path() -> str:
    """PATH with the folders that daemons are in, which a user's may lack."""
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def _missing() -> list[str]:
    return sorted(
        {package for program, package in PACKAGES.items() if not shutil.which(program, path=path())}
    )
