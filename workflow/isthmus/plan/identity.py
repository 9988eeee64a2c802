"""What an input is, without reading it: the names, sizes and modification times of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def files_digest(files: Iterable[Path]) -> str:
    """Digest of a set of files and folders (all files below them)."""
    lines = []
    for path in files:
        members = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for member in members:
            stat = member.stat()
            name = member.relative_to(path).as_posix() if path.is_dir() else path.name
            lines.append(f"{path.name}/{name}\t{stat.st_size}\t{stat.st_mtime_ns}")
    return digest_of(sorted(lines))


def digest_of(value: object) -> str:
    """Short digest of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
