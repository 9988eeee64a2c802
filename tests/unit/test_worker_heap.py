"""Workers keep the memory that they free."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from isthmus.packs.memory import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from isthmus.packs.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def work():
    np.ones(20 << 20, np.uint8)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    words = [sys.executable, "-P", "-c", FAULTS, how]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_freed_array_is_not_fetched_again_from_the_system():
    assert 20 * faults("keep") < faults("as it is")


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_another_c_library_is_left_as_it_is(monkeypatch, error):
    def missing(_):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", missing)
    keep_freed_memory()
