"""Which software made the results."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    *("numpy", "scipy", "numba", "zarr", "tifffile", "pyarrow", "pandas", "anndata", "scanpy", "igraph"),
    *("umap-learn", "scikit-learn", "snakemake", "matplotlib"),
)


def software_versions(isthmus: str) -> list[tuple[str, str]]:
    """Name and version of what took part, Isthmus and Python first; packages that are not there are left out."""
    found = [("isthmus", isthmus), ("python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def platform_name() -> str:
    """System and instruction set, as in 'Linux x86_64'."""
    return f"{platform.system()} {platform.machine()}"
