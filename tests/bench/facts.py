"""What the numbers depend on besides the code: processor, and versions of the libraries."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from bench.measure import ROOT, python_of

SHOWN = {
    "": ("numpy", "numba", "scikit-image", "scipy", "zarr"),
    "blocks": ("bioimage-py", "bioimage-cpp", "cp-measure", "dask", "dask-image", "numba", "numpy"),
    "sopa": ("sopa", "spatialdata", "squidpy", "dask", "shapely", "geopandas", "numpy"),
}


def machine() -> str:
    """Processor, number of cores and system, without names of hosts."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
        model = found.group(1) if found else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def environments() -> dict[str, dict[str, str]]:
    """Versions of the libraries of each environment."""
    return {name: _versions(name, names) for name, names in SHOWN.items()}


def _versions(name: str, names: tuple[str, ...]) -> dict[str, str]:
    python = python_of(name)
    if not python.exists():
        return {}
    code = "import sys; from importlib.metadata import version\nfor n in sys.argv[1:]: print(n, version(n))"
    done = subprocess.run(
        [str(python), "-P", "-c", code, *names], capture_output=True, text=True, check=False, cwd=ROOT
    )
    pairs = (line.split(maxsplit=1) for line in done.stdout.splitlines())
    return dict(pairs)
