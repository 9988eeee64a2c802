"""What repository tests share: the tracked texts."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow" / "isthmus"
FOLDERS = (".ci", "config", "docs", "envs", "profiles", "resources", "tests", "workflow")
BINARY = (".png", ".jpg", ".gif", ".pyc", ".npz", ".tif")


def texts() -> Iterator[tuple[Path, str]]:
    """Path relative to the root, and text, of every file of the project."""
    inside = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    for path in [*sorted(ROOT.iterdir()), *inside]:
        # In a work tree beside the repository, `.git` is a file that names a place.
        if path.name == ".git":
            continue
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in BINARY:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def modules() -> list[Path]:
    """Python files of the package."""
    return sorted(PACKAGE.rglob("*.py"))
