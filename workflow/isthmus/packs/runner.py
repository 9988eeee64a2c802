"""One pack: its blocks through a pool of workers, each journaled as it is done."""

from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from isthmus.errors import UserError
from isthmus.packs.journal import Entry, Journal, WrittenFile
from isthmus.packs.pool import run_tasks

log = logging.getLogger(__name__)

_KB_PER_MB = 1024 if sys.platform != "darwin" else 1024 * 1024


@dataclass(frozen=True)
class BlockResult:
    """What a worker made of one block: the record to journal and its files; one of them may be no file on purpose."""

    record: bytes
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Measured:
    record: bytes
    files: tuple[WrittenFile, ...]
    absent: tuple[str, ...]
    usage: tuple[float, float, float]


@dataclass(frozen=True)
class PackSummary:
    """Which blocks of a pack were computed now and which were found done."""

    computed: tuple[int, ...]
    skipped: tuple[int, ...]
    entries: dict[int, Entry]


def run_pack(
    compute: Callable[[int], BlockResult],
    blocks: Sequence[int],
    *,
    digest: str,
    journal: Journal,
    writer: str,
    workers: int,
    preload: Sequence[str] = (),
) -> PackSummary:
    """Compute the blocks that the journal does not hold yet.

    Parameters
    ----------
    compute
        Picklable function of a block's index.
    blocks
        The pack's blocks.
    digest
        What the results depend on; entries under another digest do not count.
    journal, writer
        Where finished blocks are noted, and this pack's name there.
    workers, preload
        Worker processes, and the modules they share.

    Raises
    ------
    UserError
        A block failed; every other block of the pack is done and journaled.
    """
    entries = journal.finished(digest, set(blocks))
    todo = [block for block in blocks if block not in entries]
    log.info("%s: %d blocks, %d already done", writer, len(blocks), len(entries))
    failures: dict[int, BaseException] = {}
    for outcome in run_tasks(
        partial(_measure, compute, journal.root), todo, workers=workers, preload=preload
    ):
        if outcome.result is None:
            failures[outcome.task] = outcome.error or RuntimeError("no result")
            log.error("block %d failed: %s", outcome.task, outcome.error, exc_info=outcome.error)
            continue
        made = outcome.result
        entries[outcome.task] = journal.append(
            writer,
            block=outcome.task,
            digest=digest,
            record=made.record,
            files=made.files,
            usage=made.usage,
            absent=made.absent,
        )
        log.info("block %d done, %d of %d", outcome.task, len(entries), len(blocks))
    if failures:
        _raise(failures, writer)
    return PackSummary(tuple(todo), tuple(b for b in blocks if b not in set(todo)), entries)


def _raise(failures: dict[int, BaseException], writer: str) -> None:
    first = failures[min(failures)]
    if isinstance(first, UserError):
        raise first
    names = ", ".join(str(block) for block in sorted(failures)[:10])
    raise UserError(
        where=f"pack {writer}",
        found=f"{len(failures)} blocks failed ({names}): {type(first).__name__}: {first}",
        do="all other blocks are kept; see the log, mend the cause and run again",
    ) from first


def _measure(compute: Callable[[int], BlockResult], root: Path, block: int) -> _Measured:
    cpu, wall = time.process_time(), time.monotonic()
    result = compute(block)
    files = tuple(WrittenFile.of(root, file) for file in result.files if file.exists())
    absent = tuple(file.relative_to(root).as_posix() for file in result.files if not file.exists())
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KB_PER_MB
    usage = (round(time.process_time() - cpu, 3), round(time.monotonic() - wall, 3), round(rss_mb, 1))
    return _Measured(result.record, files, absent, usage)
