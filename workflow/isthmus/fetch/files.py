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
    """Whether a file is there with the size and, where one is listed, the checksum that it should have."""
    return has_size(path, member) and (member.sha256 is None or sha256_of(path) == member.sha256)


def has_size(path: Path, member: Member) -> bool:
    """Whether a file is there with the size that it should have; any but none, where the catalogue lists 0."""
    if not path.is_file():
        return False
    size = path.stat().st_size
    return size == member.bytes if member.bytes or member.sha256 is not None else size > 0


def write_text_whole(path: Path, text: str) -> None:
    """Write a small file so that it is never seen half-written; leave it alone when it already says this."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
