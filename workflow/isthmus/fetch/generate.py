"""Data that are made on this machine, with known truth: what `generated` in the catalogue names."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from isthmus.errors import UserError

MADE = "isthmus.fetch.made"


def make(name: str, folder: Path, where: str) -> None:
    """Let a generator fill an empty folder; see `isthmus.fetch.made`.

    Parameters
    ----------
    name
        Module of `isthmus.fetch.made`.
    folder
        Where the files go.
    where
        The data set, for errors.
    """
    if find_spec(f"{MADE}.{name}") is None:
        raise UserError(where=where, found=f"there is no generator '{name}'", do="correct the entry")
    import_module(f"{MADE}.{name}").make(folder)
