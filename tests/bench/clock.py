"""CPU seconds of this process and of children that ended, by phase."""

from __future__ import annotations

import functools
import importlib
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def cpu_s() -> float:
    """CPU seconds used so far, children that ended included."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def own_cpu_s() -> float:
    """CPU seconds of this process, all its threads."""
    import time

    return time.process_time()


class Phases:
    """CPU seconds by phase; time in an inner phase does not count for the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[list[float]] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens inside."""
        begin = own_cpu_s()
        self._open.append([0.0])
        try:
            yield
        finally:
            whole = own_cpu_s() - begin
            inner = self._open.pop()[0]
            self.seconds[name] = self.seconds.get(name, 0.0) + whole - inner
            if self._open:
                self._open[-1][0] += whole

    @contextmanager
    def alone(self) -> Iterator[dict[str, float]]:
        """Yields a dictionary that gets what happens inside, and nothing else; `seconds` stays what it was."""
        before, spent = self.seconds, dict[str, float]()
        self.seconds = spent
        try:
            yield spent
        finally:
            self.seconds = before

    def watch(self, place: str, name: str) -> None:
        """Count every call of `module:function` or `module:Class.method` as a phase.

        Raises
        ------
        LookupError
            There is no such function.
        """
        module_name, _, path = place.partition(":")
        *outer, last = path.split(".")
        try:
            owner: Any = importlib.import_module(module_name)
            for step in outer:
                owner = getattr(owner, step)
            found = vars(owner)[last]
        except (ImportError, AttributeError, KeyError) as error:
            raise LookupError(f"{place} is not there any more: mend the benchmark") from error
        if isinstance(found, classmethod | staticmethod):
            setattr(owner, last, type(found)(self._counted(found.__func__, name)))
        else:
            setattr(owner, last, self._counted(found, name))

    def _counted(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def counted(*positional: Any, **named: Any) -> Any:
            with self.phase(name):
                return function(*positional, **named)

        return counted
