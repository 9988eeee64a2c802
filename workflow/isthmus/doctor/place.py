"""Room, clock, caches and network of the machine that this runs on."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path

from isthmus.doctor import host
from isthmus.doctor.finding import Examination
from isthmus.launch.room import lustre_quota

_FEW_GB = 20.0
_FEW_FILES = 50_000
_MUCH_SKEW_S = 2.0


def examine_here(found: Examination, folder: Path) -> None:
    """Look at this machine and at the folder where results would go."""
    _examine_room(found, folder)
    _examine_quota(found, folder)
    examine_clock(found, f"clock of {folder}", host.clock_skew_s(folder))
    cache, writable = host.kernel_cache()
    examine_cache(found, "this machine", str(cache), writable)
    where = "internet from this machine"
    if host.has_internet():
        found.fine(where, "reached: data can be fetched here")
    else:
        found.note(
            where, f"{host.OUTSIDE} is not reached", "fetch data where there is internet: `make bundle`"
        )
    examine_gpus(found, "this machine", host.gpus(), host.runtime_devices())


def examine_clock(found: Examination, where: str, skew_s: float | None) -> None:
    """Whether files get the times that this machine has."""
    if skew_s is None:
        found.error(where, "no file can be written there", "give another folder: --folder")
    elif abs(skew_s) > _MUCH_SKEW_S:
        found.error(
            where,
            f"it is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} this machine",
            "tell the site: with clocks that differ, Snakemake takes finished work for outdated",
        )
    else:
        found.fine(where, f"within {_MUCH_SKEW_S:.0f} s of this machine's")


def examine_cache(found: Examination, where: str, cache: str, writable: bool) -> None:
    """Whether compiled kernels can be kept."""
    if writable:
        found.fine(f"compiled kernels, {where}", f"kept in {cache}")
    else:
        found.error(
            f"compiled kernels, {where}",
            f"{cache} cannot be written: every job compiles anew, for about half a minute",
            "set NUMBA_CACHE_DIR to a folder that can",
        )


def examine_gpus(found: Examination, where: str, gpus: list[str], devices: list[str]) -> None:
    """Whether there are GPUs, and whether the runtime of networks knows them."""
    if not gpus:
        found.note(f"GPUs, {where}", "none seen")
        return
    usable = [name for name in devices if name not in ("CPU", "Azure")]
    if usable:
        found.fine(f"GPUs, {where}", f"{len(gpus)} seen; the runtime has {', '.join(usable)}")
    else:
        found.note(f"GPUs, {where}", f"{len(gpus)} seen, and no runtime that uses them is installed")


def _examine_room(found: Examination, folder: Path) -> None:
    gigabytes, files = host.room(folder)
    told = f"{gigabytes:,.0f} GB free" + (f", {files:,} more files" if files is not None else "")
    if gigabytes < _FEW_GB or (files is not None and files < _FEW_FILES):
        found.error(f"room in {folder}", told, "make room, or give another folder: --folder")
    else:
        found.fine(f"room in {folder}", told)


def _examine_quota(found: Examination, folder: Path) -> None:
    """The user's own quota on Lustre, where there is its tool; untested on a real one."""
    if shutil.which("lfs") is None:
        found.not_checked(f"quota in {folder}", "there is no command lfs; ask the site's own quota tool")
        return
    quota = lustre_quota(folder, "u", getpass.getuser())
    if quota is None:
        found.not_checked(f"quota in {folder}", "lfs quota says nothing that is understood")
        return
    used, limit = quota.files, quota.limit_files
    if limit and limit - used < _FEW_FILES:
        found.error(f"quota in {folder}", f"{used:,} of {limit:,} files", "remove files, or ask for more")
    else:
        found.fine(f"quota in {folder}", f"{used:,} files" + (f" of {limit:,}" if limit else ", no limit"))
    if limit:
        found.measure("storage.max_files", limit)
