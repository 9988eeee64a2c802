"""Files that are whole: checksums, and writing that appears at once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from isthmus.fetch.catalogue import Member


def sha256_of(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_intact(path: Path, member: Member) -> bool:
    """Whether a file is there with the size and the checksum that it should have."""
    return path.is_file() and path.stat().st_size == member.bytes and sha256_of(path) == member.sha256


def write_text_whole(path: Path, text: str) -> None:
    """Write a small file so that it is never seen half-written; leave it alone when it already says this."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
