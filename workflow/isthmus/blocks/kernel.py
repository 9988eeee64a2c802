"""The decorator of all compiled kernels, typed."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with numba, once a machine; no fast-math, no threads: the same results everywhere."""
    return cast(Callable[P, R], njit(cache=True, nogil=True)(function))
