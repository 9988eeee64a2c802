"""Files that are open: those used last, and no more than a few, for the system limits how many a process may have."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from isthmus.image.source import PixelSource

MOST_OPEN = 32

Key = TypeVar("Key", bound=Hashable)


class Opened(Generic[Key]):
    """Sources by their key; opening one too many gives up the one that was used longest ago."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._sources: OrderedDict[Key, PixelSource] = OrderedDict()

    def get(self, key: Key, open_source: Callable[[], PixelSource]) -> PixelSource:
        """The source of a key, opened unless it is."""
        if key in self._sources:
            self._sources.move_to_end(key)
            return self._sources[key]
        if len(self._sources) >= self._most:
            self._sources.popitem(last=False)  # closed with its last reference
        source = self._sources[key] = open_source()
        return source
