"""A pool of worker processes that outlives the death of a worker and dies with its parent."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from isthmus.packs.memory import keep_freed_memory

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDied(Exception):
    """A worker process ended without a word: killed from outside, most often for want of memory."""


@dataclass(frozen=True)
class Outcome(Generic[Task, Result]):
    """What became of one task: a result, or the exception that it ended with."""

    task: Task
    result: Result | None
    error: BaseException | None


def run_tasks(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, workers: int, preload: Sequence[str] = ()
) -> Iterator[Outcome[Task, Result]]:
    """Run `function` on each task in worker processes; outcomes come as they are ready.

    When a worker dies, the tasks that were under way are tried once more, each alone, so that the one that kills its
    worker is known: its outcome is WorkerDied. The others go on with half the workers. An exception of the function
    is the outcome of its task and stops nothing else.

    Parameters
    ----------
    function
        A picklable callable (a functools.partial of a module's function).
    tasks
        Picklable items.
    workers
        Processes to use, at least 1.
    preload
        Modules to import once, in the process that the workers are forked from.
    """
    waiting = deque(tasks)
    while waiting:
        suspects: list[Task] = []
        yield from _run_until_death(
            function, waiting, suspects, workers=min(workers, len(waiting)), preload=preload
        )
        for suspect in suspects:
            killed: list[Task] = []
            yield from _run_until_death(function, deque([suspect]), killed, workers=1, preload=preload)
            if killed:
                yield Outcome(suspect, None, WorkerDied("its worker process was killed twice"))
        workers = max(1, workers // 2)


def _run_until_death(
    function: Callable[[Task], Result],
    waiting: deque[Task],
    suspects: list[Task],
    *,
    workers: int,
    preload: Sequence[str],
) -> Iterator[Outcome[Task, Result]]:
    """Work through `waiting` with one pool; a dead worker ends the pool, and tasks under way become suspects."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["isthmus.packs.server", *preload])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    running: dict[Future[Result], Task] = {}
    broken = False
    try:
        while (waiting and not broken) or running:
            while waiting and not broken and len(running) < workers + 1:
                try:
                    with _without_main():
                        running[pool.submit(_call, function, waiting[0])] = waiting[0]
                except BrokenProcessPool:
                    broken = True  # a worker died, perhaps while all were idle: then nothing is suspect
                    break
                waiting.popleft()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task, error = running.pop(future), future.exception()
                if isinstance(error, BrokenProcessPool):
                    broken = True
                    suspects.append(task)
                else:
                    yield Outcome(task, None if error else future.result(), error)
        pool.shutdown(wait=True)
    except BaseException:
        _kill(pool)
        raise


def _call(function: Callable[[Task], Result], task: Task) -> Result:
    """Run one task in a worker. An exception that its parent could not rebuild would look there like a death."""
    try:
        return function(task)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        raise


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the script that runs: a new worker would run it again, with all its imports, and needs nothing of it."""
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {
        name: main.__dict__.pop(name) for name in ("__file__", "__spec__") if name in main.__dict__
    }
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(hidden)


def _kill(pool: ProcessPoolExecutor) -> None:
    """End a pool at once; work in progress is given up."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    keep_freed_memory()
    die_with_parent()


def die_with_parent(poll_s: float = 0.5) -> None:
    """End this process soon after its parent is gone, so that a killed run leaves no second writer behind."""
    maker, parent = multiprocessing.parent_process(), os.getppid()

    def watch() -> None:
        if maker is not None:
            maker.join()  # a worker's parent is the server it was forked from; what matters is who made the pool
        else:
            while os.getppid() == parent:
                time.sleep(poll_s)
        os._exit(1)

    threading.Thread(target=watch, name="die-with-parent", daemon=True).start()
