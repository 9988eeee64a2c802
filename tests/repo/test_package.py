"""The package's rooms import one way only, and its files stay small."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from repo_files import PACKAGE, ROOT, modules

# A room may import rooms of the tiers before its own, and itself.
TIERS = (
    {"errors"},
    {"blocks", "config"},
    {"counts", "image", "packs"},
    {"plan"},
    {"analyse", "fetch", "quantify", "readers", "reads", "segment", "sites", "slurm"},
    {"certify", "tables"},
    {"report"},
    {"steps"},
    {"crate", "launch"},
    {"doctor", "verify"},
    {"cli"},
)
LONGEST_MODULE = 350
LONGEST_SNAKEFILE = 60
LONGEST_RULES = 150


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)}: relative import"
            yield node.module or ""


def test_rooms_import_one_way():
    tier = {room: number for number, rooms in enumerate(TIERS) for room in rooms}
    wrong = []
    for path in modules():
        here = room_of(path)
        if here in ("__init__", "__main__"):
            continue
        assert here in tier, f"the room {here} has no tier in TIERS"
        for name in imported(path):
            there = ([*name.split("."), ""])[1] if name.startswith("isthmus.") else here
            if there != here and tier[there] >= tier[here]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize(
    ("library", "rooms"),
    [("scanpy", {"analyse"}), ("snakemake", {"launch"}), ("matplotlib", {"report"}), ("jinja2", {"report"})],
)
def test_heavy_libraries_stay_in_their_room(library, rooms):
    users = {
        room_of(path) for path in modules() if any(name.split(".")[0] == library for name in imported(path))
    }
    assert users <= rooms


def test_every_folder_is_a_package():
    folders = {path.parent for path in modules()}
    assert [folder.name for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("pattern", "limit"),
    [("isthmus/**/*.py", LONGEST_MODULE), ("Snakefile", LONGEST_SNAKEFILE), ("rules/*.smk", LONGEST_RULES)],
)
def test_files_stay_small(pattern, limit):
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "workflow").glob(pattern)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    }
    assert long == {}


def test_what_the_package_imports_is_asked_for():
    """Not merely there because another package wants it."""
    names = {"yaml": "pyyaml", "skimage": "scikit-image", "PIL": "pillow", "umap": "umap-learn"}
    names["sklearn"] = "scikit-learn"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {re.split(r"[<>=!~\[; ]", item)[0] for item in project["dependencies"]}
    used = {name.split(".")[0] for path in modules() for name in imported(path)}
    foreign = used - set(sys.stdlib_module_names) - {"isthmus"}
    assert {names.get(name, name) for name in foreign} - asked == set()


IN_NO_WORKER = {"anndata", "h5py", "imagecodecs", "pandas", "scanpy", "shapely", "skimage", "tifffile"}


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("isthmus.segment.block, isthmus.segment.warm", IN_NO_WORKER | {"pydantic", "pyarrow"}),
        ("isthmus.quantify.block, isthmus.quantify.warm", IN_NO_WORKER | {"pydantic", "pyarrow"}),
        ("isthmus.steps.segment_pack, isthmus.steps.quantify_pack", IN_NO_WORKER),
        ("isthmus.steps.survey_image, isthmus.steps.stitch_labels", IN_NO_WORKER | {"numba"}),
        ("isthmus.steps.import_image, isthmus.steps.build_pyramid", IN_NO_WORKER),
    ],
)
def test_workers_load_only_what_they_need(modules: str, heavy: set[str]) -> None:
    """What a worker imports is paid by every worker of every pack."""
    assert heavy & loaded_by(modules) == set()


def test_commands_load_only_what_they_need() -> None:
    """What the head imports is paid by every command; files of counts and references load their libraries when read."""
    loaded = loaded_by("isthmus.cli.commands, isthmus.launch.execute, isthmus.launch.status")
    heavy = IN_NO_WORKER | {"scipy.stats", "scipy.spatial", "sklearn", "snakemake"}
    assert heavy & loaded == set()


def loaded_by(modules: str) -> set[str]:
    """Names of all modules that are there once these are imported, in a process of its own."""
    code = f"import sys, {modules}; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ended.stdout.split())
