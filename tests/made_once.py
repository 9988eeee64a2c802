"""What takes long to make and is only looked at: the processes of one session of tests make it once between them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

Made = TypeVar("Made")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """What the first process that asks for it makes in a folder of this name; others wait for it and get the same."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    kept = root / f"{name}.pickle"
    with FileLock(root / f"{name}.lock"):
        if not kept.exists():
            (root / name).mkdir()
            kept.write_bytes(pickle.dumps(make(root / name)))
    made: Made = pickle.loads(kept.read_bytes())
    return made
