"""Functions for worker processes; workers import them by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from isthmus.errors import UserError
from isthmus.packs.runner import BlockResult


class Unreadable(Exception):
    """An exception that cannot be rebuilt from its pickle."""

    def __init__(self, *, reason: str) -> None:
        super().__init__("unreadable")
        self.reason = reason


def square(task: int) -> int:
    return task * task


def fail_on_odd(task: int) -> int:
    if task % 2:
        raise ValueError(f"task {task} is odd")
    return task


def user_error(task: int) -> int:
    raise UserError(where=f"block {task}", found="a fault", do="mend it")


def unpicklable(task: int) -> object:
    return (lambda: task) if task == 1 else task


def unreadable(task: int) -> int:
    if task == 1:
        raise Unreadable(reason="by design")
    return task


def process_id(task: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def die_always(bad: int, task: int) -> int:
    if task == bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def die_once(folder: Path, bad: int, task: int) -> int:
    mark = folder / f"died-{task}"
    if task == bad and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def write_block(folder: Path, bad: tuple[int, ...], block: int) -> BlockResult:
    with (folder / "calls").open("a") as calls:
        calls.write(f"{block}\n")
    if block in bad:
        raise RuntimeError(f"cannot do {block}")
    shard = folder / "labels" / str(block)
    shard.parent.mkdir(exist_ok=True)
    if block % 3:
        shard.write_bytes(b"labels of " + str(block).encode())
    else:
        shard.unlink(missing_ok=True)
    return BlockResult(f"record {block}".encode(), (shard,))


def refuse_block(block: int) -> BlockResult:
    raise UserError(where=f"block {block}", found="a fault", do="mend it")


def kill_worker(block: int) -> BlockResult:
    if block == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return BlockResult(b"", ())


def note_and_sleep(folder: Path, task: int) -> int:
    (folder / f"pid-{task}").write_text(str(os.getpid()))
    time.sleep(60)
    return task


def crash(bad: int, task: int) -> int:
    if task == bad:
        os.kill(os.getpid(), signal.SIGSEGV)
    return task


def device(name: str, task: int) -> str:
    time.sleep(0.2)
    return os.environ.get(name, "")


def sleep_block(folder: Path, seconds: float, block: int) -> BlockResult:
    (folder / f"begun-{block}").touch()
    time.sleep(seconds)
    return BlockResult(b"", ())


def fail_once(folder: Path, block: int) -> BlockResult:
    mark = folder / f"failed-{block}"
    if block == 1 and not mark.exists():
        mark.touch()
        raise OSError("the file system was away")
    return BlockResult(b"", ())
