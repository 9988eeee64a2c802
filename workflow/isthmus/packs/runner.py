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

from isthmus.errors import UserError, fault_of_place, n_of, raise_all
from isthmus.packs.death import KILLED, MEMORY, WorkerDied
from isthmus.packs.devices import Device
from isthmus.packs.journal import Entry, Journal, WrittenFile
from isthmus.packs.pool import run_tasks
from isthmus.packs.quarantine import Quarantine
from isthmus.packs.stop import Stop

log = logging.getLogger(__name__)

_MOST_TOLD = 10
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


class BlocksFailed(UserError):
    """Blocks of a pack that were set aside. again tells whether another attempt of the job may end better.

    reason is `memory` where workers were killed for want of it.
    """

    def __init__(self, *, where: str, found: str, do: str, reason: str, again: bool) -> None:
        super().__init__(where=where, found=found, do=do)
        self.reason, self.again = reason, again


def run_pack(
    compute: Callable[[int], BlockResult],
    blocks: Sequence[int],
    *,
    digest: str,
    journal: Journal,
    writer: str,
    workers: int,
    preload: Sequence[str] = (),
    devices: Sequence[Device] = (),
    place: Callable[[int], str] = str,
    stop: Stop | None = None,
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
    workers, preload, devices
        Worker processes, the modules they share, and the devices of which each gets one.
    place
        Says in words where a block lies.
    stop
        Where to be told to stop.

    Raises
    ------
    UserError
        Blocks failed; every other block of the pack is done and journaled.
    Stopped
        The pack was told to stop; what was finished is journaled.
    """
    entries = journal.finished(digest, set(blocks))
    todo = [block for block in blocks if block not in entries]
    log.info("%s: %d blocks, %d already done, %d workers", writer, len(blocks), len(entries), workers)
    failures: dict[int, BaseException] = {}

    def go_through(some: Sequence[int]) -> None:
        task = partial(_measure, compute, journal.root)
        for outcome in run_tasks(task, some, workers=workers, preload=preload, devices=devices, stop=stop):
            if outcome.result is None:
                failures[outcome.task] = outcome.error or RuntimeError("no result")
                log.error("block %d failed: %s", outcome.task, outcome.error, exc_info=outcome.error)
                continue
            failures.pop(outcome.task, None)
            entries[outcome.task] = _note(journal, writer, digest, outcome.task, outcome.result)
            log.info("block %d done, %d of %d", outcome.task, len(entries), len(blocks))

    go_through(todo)
    # A fault that passes, as those of file systems do, is not there the second time.
    go_through([block for block, error in sorted(failures.items()) if _may_pass(error)])
    quarantine = Quarantine(journal.folder, writer)
    if failures:
        quarantine.write({block: (place(block), error) for block, error in failures.items()})
        _raise(failures, writer, place)
    quarantine.clear()
    return PackSummary(tuple(todo), tuple(b for b in blocks if b not in set(todo)), entries)


def _note(journal: Journal, writer: str, digest: str, block: int, made: _Measured) -> Entry:
    return journal.append(
        writer,
        block=block,
        digest=digest,
        record=made.record,
        files=made.files,
        usage=made.usage,
        absent=made.absent,
    )


def _may_pass(error: BaseException) -> bool:
    """Whether trying again may help: not with what the user must mend, nor after a death, which was tried twice."""
    return not isinstance(error, (UserError, WorkerDied))


def _raise(failures: dict[int, BaseException], writer: str, place: Callable[[int], str]) -> None:
    failures = {block: fault_of_place(error) or error for block, error in failures.items()}
    of_user = {str(error): error for error in failures.values() if isinstance(error, UserError)}
    if len([e for e in failures.values() if isinstance(e, UserError)]) == len(failures):
        raise_all(list(of_user.values())[:_MOST_TOLD])
    block = min(block for block, error in failures.items() if not isinstance(error, UserError))
    first = failures[block]
    deaths = {error.reason for error in failures.values() if isinstance(error, WorkerDied)}
    what = str(first) if isinstance(first, WorkerDied) else f"{type(first).__name__}: {first}"
    names = ", ".join(f"{block} ({place(block)})" for block in sorted(failures)[:_MOST_TOLD])
    more = f" and {len(failures) - _MOST_TOLD} more" if len(failures) > _MOST_TOLD else ""
    raise BlocksFailed(
        where=f"pack {writer}",
        found=f"{n_of(len(failures), 'block')} failed twice and set aside: {names}{more}; {what}",
        do="smaller blocks need less memory (execution.block_px)"
        if MEMORY in deaths
        else "all other blocks are kept; see the log, mend the cause and run again",
        reason=MEMORY if MEMORY in deaths else "error",
        again=KILLED in deaths,
    ) from first


def _measure(compute: Callable[[int], BlockResult], root: Path, block: int) -> _Measured:
    cpu, wall = time.process_time(), time.monotonic()
    result = compute(block)
    files = tuple(WrittenFile.of(root, file) for file in result.files if file.exists())
    absent = tuple(file.relative_to(root).as_posix() for file in result.files if not file.exists())
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KB_PER_MB
    usage = (round(time.process_time() - cpu, 3), round(time.monotonic() - wall, 3), round(rss_mb, 1))
    return _Measured(result.record, files, absent, usage)
