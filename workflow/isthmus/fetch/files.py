"""Files that are whole: checksums, and writing that appears at once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from isthmus.fetch.catalogue import Member


def sha256_of(path: Path) -> str:
    """The checksum of a file; of a folder, that of the names and checksums of all files below it."""
    if path.is_dir():
        lines = [f"{sha256_of(file)}  {file.relative_to(path).as_posix()}\n" for file in files_below(path)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> list[Path]:
    """All files of a folder and of those in it, by their paths."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def is_intact(path: Path, member: Member) -> bool:
    """Whether a file is there with the size and, where one is listed, the checksum that it should have."""
    return has_size(path, member) and (member.sha256 is None or sha256_of(path) == member.sha256)


def has_size(path: Path, member: Member) -> bool:
    """Whether a file is there with the size that it should have; any but none, where the catalogue lists 0."""
    if member.n_files is not None:
        files = files_below(path) if path.is_dir() else []
        return len(files) == member.n_files and sum(f.stat().st_size for f in files) == member.bytes
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
