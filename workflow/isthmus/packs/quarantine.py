"""Blocks that keep failing, set aside: a file for each pack that has any, beside the journal."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


class Quarantine:
    """The blocks of one pack that were set aside: `quarantine/<writer>.json`, an entry a block with place and error."""

    def __init__(self, journal: Path, writer: str) -> None:
        self._file = journal.parent / "quarantine" / f"{writer}.json"

    def write(self, blocks: Mapping[int, tuple[str, BaseException]]) -> None:
        """Note the blocks, where they lie, and what they failed with."""
        found = [
            {"block": block, "place": place, "error": f"{type(error).__name__}: {error}"}
            for block, (place, error) in sorted(blocks.items())
        ]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"blocks": found}, indent=1) + "\n")
        temporary.replace(self._file)

    def clear(self) -> None:
        """All blocks of the pack are done."""
        self._file.unlink(missing_ok=True)
