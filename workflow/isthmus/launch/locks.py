"""Locks that a killed Snakemake has left in the working directory."""

from __future__ import annotations

from pathlib import Path


def drop_stale_locks(results: Path) -> None:
    """Remove the locks on files of a results folder, for a process that holds it (`Head`).

    Each lock is a list of files. One on files of this folder is the leaving of a killed run, because a living one would
    hold the folder; locks of runs with other results in the same working directory stay.
    """
    for lock in Path(".snakemake", "locks").glob("*.lock"):
        try:
            files = lock.read_text(errors="replace").splitlines()
        except OSError:  # its run has ended meanwhile
            continue
        if any((Path.cwd() / file).is_relative_to(results) for file in files if file):
            lock.unlink(missing_ok=True)
