"""Errors of the file system are told as such; all others stay what they are."""

from __future__ import annotations

import errno
import os

import pytest

from isthmus.errors import fault_of_place


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space is left on the device; make room, then run again"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EROFS, "it has become read-only"),
    ],
)
def test_told_of_the_place(number, words):
    error = OSError(number, os.strerror(number), "out/labels/0")
    assert words in str(fault_of_place(error))
    assert words in str(
        fault_of_place(RuntimeError(f"store error: {os.strerror(number)} (os error {number})"))
    )


def test_told_from_what_caused_an_error():
    error = ValueError("the shard was not written")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert fault_of_place(error) is not None


@pytest.mark.parametrize(
    "error",
    [None, ValueError("no space"), FileNotFoundError(errno.ENOENT, "x"), PermissionError(errno.EACCES, "x")],
)
def test_other_errors_are_not(error):
    assert fault_of_place(error) is None


def test_errors_that_cause_each_other_end():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert fault_of_place(one) is None
