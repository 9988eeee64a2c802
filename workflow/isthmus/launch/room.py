"""Whether the place for results takes what a run will write: free space and files, and the user's quota on Lustre."""

from __future__ import annotations

import getpass
import grp
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import UserError
from isthmus.slurm.commands import NotAnswering, ask

_MB = 1e6
_KB_PER_MB = 1e6 / 1024
_DO = "make room, or give another folder: `--set results=FOLDER`"


@dataclass(frozen=True)
class Quota:
    """What somebody has and may have, in kibibytes and files; a limit of 0 is none."""

    kb: int
    limit_kb: int
    files: int
    limit_files: int


@dataclass(frozen=True)
class Room:
    """What a place still takes, in megabytes and files (None: it does not say), and who says so."""

    mb: float | None
    files: int | None
    who: str


def faults_of_room(results: Path, *, mb: float, files: int) -> Iterator[UserError]:
    """Whether the place takes so much more. What lies in the results folder already need not be written again."""
    there = next(folder for folder in (results, *results.parents) if folder.exists())
    rooms = list(rooms_of(there))
    if all(_fits(mb, room.mb) and _fits(files, room.files) for room in rooms):
        return
    mb_there, files_there = _size_of(results)
    mb, files = max(0.0, mb - mb_there), max(0, files - files_there)
    where = f"results '{results}'"
    for room in rooms:
        if room.files is not None and not _fits(files, room.files):
            found = f"the run writes about {files:,} files, and {room.who} takes {room.files:,} more"
            yield UserError(where=where, found=found, do=_DO)
        if room.mb is not None and not _fits(mb, room.mb):
            found = f"the run writes about {_size(mb)}, and {room.who} takes {_size(room.mb)} more"
            yield UserError(where=where, found=found, do=_DO)


def rooms_of(folder: Path) -> Iterator[Room]:
    """What the file system of a folder still takes, and on Lustre the quota of the user and of the folder's group."""
    of = os.statvfs(folder)
    # Some file systems do not count files: then there is no number of them that they would take.
    yield Room(of.f_bavail * of.f_frsize / _MB, of.f_favail if of.f_files else None, "the file system")
    for kind, name in (("u", getpass.getuser()), ("g", _group_of(folder))):
        if quota := lustre_quota(folder, kind, name):
            yield Room(
                max(0, quota.limit_kb - quota.kb) / _KB_PER_MB if quota.limit_kb else None,
                max(0, quota.limit_files - quota.files) if quota.limit_files else None,
                f"the quota of {'user' if kind == 'u' else 'group'} {name}",
            )


def lustre_quota(folder: Path, kind: str, name: str) -> Quota | None:
    """The quota of a user (`u`) or a group (`g`); None where there is no Lustre, or none that says so."""
    if not name or shutil.which("lfs") is None:
        return None
    with suppress(NotAnswering):
        return parse_quota(ask("lfs", "quota", "-q", f"-{kind}", name, str(folder)))
    return None


def parse_quota(text: str) -> Quota | None:
    """Read what `lfs quota -q` says.

    The words are: file system, kbytes, quota, limit, grace, files, quota, limit, grace. Where there is no hard limit,
    the soft one counts; a number with a star is above its limit, one in brackets is not sure.
    """
    numbers = [word.rstrip("*").strip("[]") for word in text.split()[1:]]
    if len(numbers) < 8 or not all(numbers[at].isdecimal() for at in (0, 1, 2, 4, 5, 6)):
        return None
    kb, soft_kb, hard_kb, _, files, soft, hard = (
        int(word) if word.isdecimal() else 0 for word in numbers[:7]
    )
    return Quota(kb, hard_kb or soft_kb, files, hard or soft)


def _fits(need: float, room: float | None) -> bool:
    return room is None or need <= room


def _size(mb: float) -> str:
    return f"{mb:,.0f} MB" if mb < 10_000 else f"{mb / 1000:,.0f} GB"


def _size_of(folder: Path) -> tuple[float, int]:
    """(megabytes, files and folders) of what lies in a folder."""
    size, files = 0, 0
    for parent, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        for name in names:
            with suppress(OSError):
                size += Path(parent, name).lstat().st_size
    return size / _MB, files


def _group_of(folder: Path) -> str:
    try:
        return grp.getgrgid(folder.stat().st_gid).gr_name
    except KeyError:
        return ""
