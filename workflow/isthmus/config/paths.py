"""Paths as users write them."""

from __future__ import annotations

import os
from pathlib import Path


def absolute(text: str | Path, folder: Path) -> Path:
    """A path from a folder, unless it is absolute or begins with `~/`; `..` is taken out, links stay."""
    path = Path(text).expanduser() if str(text).startswith("~/") else Path(text)
    return Path(os.path.normpath(folder / path))
