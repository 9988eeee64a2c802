"""What a step wrote into a store that several jobs share, noted so that damage is found later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from isthmus.packs.journal import WrittenFile


def describe_shards(root: Path, *places: Path) -> dict[str, list[int]]:
    """Size and CRC-32 of files, and of every file below folders, by path below the results folder."""
    found = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    files = [file for file in found if file.is_file()]
    return as_record(WrittenFile.of(root, file) for file in files)


def as_record(files: Iterable[WrittenFile]) -> dict[str, list[int]]:
    """Written files as they stand in a job's record, in the order of their names: equal results, equal bytes."""
    return {file.path: [file.size, file.crc] for file in sorted(files, key=lambda file: file.path)}


def damaged(root: Path, record: Mapping[str, Any]) -> list[str]:
    """Files that a record names and that are not as it says."""
    shards = record.get("shards", {})
    return [path for path, (size, crc) in shards.items() if not WrittenFile(path, size, crc).intact(root)]
