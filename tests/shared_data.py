"""Real data beside the checkout, which users don't have: a test that needs a set that is not there is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1].resolve().parent / "shared" / "data"


def shared(name: str) -> Path:
    """The folder of a data set."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the real data {name} are not beside the checkout")
    return folder
