"""Things that wait most of the time, done at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Together(Generic[Result]):
    """What became of each of some tasks, all of which have come to their end; a fault is raised when its task is
    asked for."""

    def __init__(self, tasks: Mapping[str, Callable[[], Result]], *, at_once: int) -> None:
        with ThreadPoolExecutor(at_once) as pool:
            self._ended = {name: pool.submit(task) for name, task in tasks.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._ended

    def __getitem__(self, name: str) -> Result:
        return self._ended[name].result()
