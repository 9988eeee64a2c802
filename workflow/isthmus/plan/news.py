"""News of a run: what was told of jobs that failed, wait or were taken over, a line each, for whoever shows it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path


def add_news(file: Path, text: str) -> None:
    """Add a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        lines.write(json.dumps({"time": round(time.time(), 3), "text": text}) + "\n")


def all_news(file: Path) -> list[tuple[float, str]]:
    """(Seconds of the epoch, text) of every whole line."""
    try:
        return list(_parsed(file.read_bytes()))
    except OSError:
        return []


class NewsReader:
    """Reads what is new, again and again; what was there before it was made is old."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = file.stat().st_size if file.exists() else 0

    def read(self) -> Iterator[str]:
        """The texts that were added since the last call."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                added = file.read()
        except OSError:
            return
        whole = added[: added.rfind(b"\n") + 1]
        self._offset += len(whole)
        yield from (text for _, text in _parsed(whole))


def _parsed(lines: bytes) -> Iterator[tuple[float, str]]:
    for line in lines.decode(errors="replace").splitlines():
        try:
            news = json.loads(line)
            yield float(news["time"]), str(news["text"])
        except (ValueError, KeyError, TypeError):
            continue
