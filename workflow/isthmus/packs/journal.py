"""The journal of a step: which blocks are done, with checksums, so that a killed pack goes on at the block.

Each pack appends to two files of its own in the step's journal folder: `<writer>.bin` holds the blocks' records, one
after the other, and `<writer>.jsonl` says for each block where its record lies and what files it wrote. A line counts
only if it is whole, carries the step's present digest, and everything it names is there and intact. Packs read the
lines of all writers, so the number of packs may change between runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class WrittenFile:
    """A file that belongs to a result: path relative to the results folder, size in bytes, CRC-32."""

    path: str
    size: int
    crc: int

    @classmethod
    def of(cls, root: Path, file: Path) -> WrittenFile:
        """Describe a file as it is now."""
        return cls(file.relative_to(root).as_posix(), file.stat().st_size, file_crc(file))

    def intact(self, root: Path) -> bool:
        """Whether the file is there as described."""
        file = root / self.path
        return file.is_file() and file.stat().st_size == self.size and file_crc(file) == self.crc


@dataclass(frozen=True)
class Entry:
    """One finished block.

    offset, size and crc locate its record in `<writer>.bin`; `absent` are paths where its result is that there is no
    file; cpu_s, wall_s and max_rss_mb are the worker's.
    """

    block: int
    digest: str
    writer: str
    offset: int
    size: int
    crc: int
    files: tuple[WrittenFile, ...]
    absent: tuple[str, ...]
    cpu_s: float
    wall_s: float
    max_rss_mb: float


class Journal:
    """The journal folder of one step of one sample; `root` is the results folder."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.root = root

    def finished(
        self, digest: str, blocks: Collection[int] | None = None, *, look_at_files: bool = True
    ) -> dict[int, Entry]:
        """An intact entry of each block (of these, or of all) that was computed under this digest.

        Checking an entry reads all its files, so a pack asks for its own blocks only, and who needs no more than the
        records does not look at files.
        """
        found: dict[int, Entry] = {}
        for entry in self._entries():
            # Another writer may have mended what has come to harm, so one damaged entry settles nothing.
            wanted = entry.digest == digest and (blocks is None or entry.block in blocks)
            if wanted and entry.block not in found and self._intact(entry, look_at_files):
                found[entry.block] = entry
        return found

    def record(self, entry: Entry) -> bytes:
        """The record of a finished block."""
        with (self.folder / f"{entry.writer}.bin").open("rb") as file:
            file.seek(entry.offset)
            return file.read(entry.size)

    def append(
        self,
        writer: str,
        *,
        block: int,
        digest: str,
        record: bytes,
        files: tuple[WrittenFile, ...],
        usage: Usage,
        absent: tuple[str, ...] = (),
    ) -> Entry:
        """Add a finished block; its files must be on disk already, and those that are `absent` gone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{writer}.bin").open("ab") as binary:
            offset = binary.tell()
            binary.write(record)
            binary.flush()
            os.fsync(binary.fileno())
        entry = Entry(block, digest, writer, offset, len(record), crc32(record), files, absent, *usage)
        with (self.folder / f"{writer}.jsonl").open("ab+") as lines:
            torn = _torn(lines)
            lines.write((b"\n" if torn else b"") + json.dumps(asdict(entry)).encode() + b"\n")
            lines.flush()
            os.fsync(lines.fileno())
        return entry

    def _entries(self) -> Iterator[Entry]:
        entries = []
        for path in sorted(self.folder.glob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                entry = _parse(line)
                if entry is not None:
                    entries.append(entry)
        yield from entries

    def _intact(self, entry: Entry, look_at_files: bool) -> bool:
        try:
            record = self.record(entry)
            if len(record) != entry.size or crc32(record) != entry.crc:
                return False
            return not look_at_files or (
                all(file.intact(self.root) for file in entry.files)
                and not any((self.root / path).exists() for path in entry.absent)
            )
        except OSError:
            return False


Usage = tuple[float, float, float]
"""CPU seconds, wall seconds and largest resident memory in MB."""


def file_crc(path: Path) -> int:
    """CRC-32 of a file, read in pieces."""
    value = 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            value = crc32(piece, value)
    return value


def _parse(line: bytes) -> Entry | None:
    """An entry, or nothing for a line that a kill has cut short."""
    try:
        fields = json.loads(line)
        fields["files"] = tuple(WrittenFile(**file) for file in fields["files"])
        fields["absent"] = tuple(fields["absent"])
        return Entry(**fields)
    except (ValueError, TypeError, KeyError):
        return None


def _torn(lines: object) -> bool:
    """Whether the file ends inside a line."""
    end = lines.seek(0, os.SEEK_END)  # type: ignore[attr-defined]
    if end == 0:
        return False
    lines.seek(end - 1)  # type: ignore[attr-defined]
    return bool(lines.read(1) != b"\n")  # type: ignore[attr-defined]
