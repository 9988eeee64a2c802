"""Write the conda environments, with packages and versions of the hash lock (`make lock`).

core.yaml    what jobs on images need
omics.yaml   everything: jobs on tables, the report, and the command line
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.11"

# packages that conda channels call differently; the others have the same name
CONDA_NAMES = {"igraph": "python-igraph", "matplotlib": "matplotlib-base", "snakemake": "snakemake-minimal"}

# packages that are not known to be in the channels
FROM_PIP = {"harmonypy", "mofapy2", "readimc", "zarrs"}

NOT_FOR_IMAGES = {
    "harmonypy",
    "igraph",
    "jinja2",
    "markupsafe",
    "matplotlib",
    "mofapy2",
    "mudata",
    "pillow",
    "scanpy",
    "scikit-learn",
    "snakemake",
    "snakemake-executor-plugin-slurm",
    "statsmodels",
    "umap-learn",
}
WITHOUT = {"core.yaml": NOT_FOR_IMAGES, "omics.yaml": set[str]()}

HEAD = f"""\
# Packages and versions of envs/requirements.txt, for conda and mamba. Made by: make lock
channels:
  - conda-forge
  - bioconda
  - nodefaults
dependencies:
  - python ={PYTHON}
"""


def locked_versions(text: str) -> dict[str, str]:
    """Version of each package of a lock that holds for PYTHON, where markers set versions of Python apart."""
    versions = {}
    for line in text.splitlines():
        found = re.match(r"([a-z0-9-]+)(?:\[[a-z,-]+\])?==([^ ;\\]+)(?: ; ([^\\]*))?", line)
        if found and _holds(found[3] or ""):
            versions[found[1]] = found[2]
    return versions


def _holds(marker: str) -> bool:
    later = re.search(r"python_full_version >= '3\.(\d+)'", marker)
    return not later or int(later[1]) <= int(PYTHON.split(".")[1])


def direct_dependencies(text: str) -> list[str]:
    """Names of the packages that the project asks for."""
    return [re.split(r"[<>=!~\[; ]", item)[0] for item in tomllib.loads(text)["project"]["dependencies"]]


def environment(name: str) -> str:
    """Text of the environment file of that name."""
    versions = locked_versions((ROOT / "envs" / "requirements.txt").read_text(encoding="utf-8"))
    names = direct_dependencies((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    kept = [package for package in names if package not in WITHOUT[name]]
    lines = [
        f"  - {CONDA_NAMES.get(package, package)} ={versions[package]}"
        for package in kept
        if package not in FROM_PIP
    ]
    lines += ["  - pip", "  - pip:"]
    lines += [f"      - {package}=={versions[package]}" for package in kept if package in FROM_PIP]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    for file in WITHOUT:
        (ROOT / "envs" / file).write_text(environment(file), encoding="utf-8")
