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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import Any, Generic, TypeVar

from isthmus.packs.death import WorkerDied, cause_of_death, memory_kills
from isthmus.packs.devices import Device
from isthmus.packs.memory import keep_freed_memory
from isthmus.packs.stop import Stop, Stopped

_LOOK_EVERY_S = 0.5

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Task, Result]):
    """What became of one task: a result, or the exception that it ended with."""

    task: Task
    result: Result | None
    error: BaseException | None


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int,
    preload: Sequence[str] = (),
    devices: Sequence[Device] = (),
    stop: Stop | None = None,
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
    devices
        One for each worker at most, which then sees it alone: no more workers than devices are used.
    stop
        Where to be told to stop.

    Raises
    ------
    Stopped
        Work was told to stop; tasks whose outcome did not come are not done.
    """
    stop = stop or Stop()
    waiting = deque(tasks)
    workers = min(workers, len(devices)) if devices else workers
    while waiting:
        suspects: list[Task] = []
        pool = _Pool(function, min(workers, len(waiting)), preload, devices, stop)
        yield from pool.run(waiting, suspects)
        for suspect in suspects:
            killed: list[Task] = []
            alone = _Pool(function, 1, preload, devices, stop)
            yield from alone.run(deque([suspect]), killed)
            if killed:
                yield Outcome(suspect, None, alone.cause)
        workers = max(1, workers // 2)


class _Pool(Generic[Task, Result]):
    """Workers until one of them dies; `cause` is then why."""

    def __init__(
        self,
        function: Callable[[Task], Result],
        workers: int,
        preload: Sequence[str],
        devices: Sequence[Device],
        stop: Stop,
    ) -> None:
        self._function, self._workers, self._stop = function, workers, stop
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["isthmus.packs.server", *preload])
        free = context.SimpleQueue()
        for device in devices[:workers]:
            free.put(dict(device))
        self._pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_start_worker, initargs=(free, bool(devices))
        )
        self._processes: Mapping[int, BaseProcess] = self._pool._processes
        self._running: dict[Future[Result], Task] = {}
        self._broken = False
        self._kills = memory_kills()
        self.cause = WorkerDied("its worker was killed")

    def run(self, waiting: deque[Task], suspects: list[Task]) -> Iterator[Outcome[Task, Result]]:
        """Work through `waiting`; a dead worker ends the pool, and tasks under way become suspects."""
        try:
            while (waiting and not self._broken) or self._running:
                if not self._stop.told:
                    self._hand_out(waiting)
                yield from self._collect(suspects)
                if self._stop.is_due or (self._stop.told and not self._running):
                    raise Stopped
            self._pool.shutdown(wait=True)
            if self._broken:
                codes = [process.exitcode for process in self._processes.values()]
                self.cause = cause_of_death(codes, memory_kills=memory_kills() - self._kills)
        except BaseException:
            self._kill()
            raise

    def _hand_out(self, waiting: deque[Task]) -> None:
        while waiting and not self._broken and len(self._running) < self._workers + 1:
            try:
                with _without_main():
                    future = self._pool.submit(_call, self._function, waiting[0])
            except BrokenProcessPool:
                self._broken = True  # a worker died, perhaps while all were idle: then nothing is suspect
                return
            self._running[future] = waiting.popleft()

    def _collect(self, suspects: list[Task]) -> Iterator[Outcome[Task, Result]]:
        done, _ = wait(self._running, timeout=_LOOK_EVERY_S, return_when=FIRST_COMPLETED)
        for future in done:
            task, error = self._running.pop(future), future.exception()
            if isinstance(error, BrokenProcessPool):
                self._broken = True
                self._heed_end()
                suspects.append(task)
            else:
                yield Outcome(task, None if error else future.result(), error)

    def _heed_end(self) -> None:
        """A scheduler that ends a job tells all its processes, and the workers may be the first to hear."""
        until = time.monotonic() + _LOOK_EVERY_S
        while not self._stop.told and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S / 10)
        if self._stop.told:
            raise Stopped

    def _kill(self) -> None:
        """End the pool at once; work in progress is given up."""
        processes = list(self._processes.values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


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


def _start_worker(free: SimpleQueue[dict[str, str]], has_device: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # and so is a scheduler's warning
    if has_device:
        os.environ.update(free.get())
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
