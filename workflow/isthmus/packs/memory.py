"""Memory that a worker frees stays with it, for the next block needs as much again."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_MB, _LARGEST_MB = 256, 32


def keep_freed_memory() -> None:
    """Tell the C library not to give freed arrays back to the system, where it is one that can be told (glibc).

    Otherwise each temporary array is fetched anew from the system, which clears it page by page: up to a third of the
    time of a block. Arrays of more than 32 MB, the most that every glibc accepts, are still given back at once, and at
    most 256 MB at the end of the heap are kept, so a worker's largest memory stays what it was.
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    tell(_MMAP_THRESHOLD, _LARGEST_MB << 20)
    tell(_TRIM_THRESHOLD, _KEPT_MB << 20)
