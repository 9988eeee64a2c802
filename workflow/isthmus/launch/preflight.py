"""Looks at the place where a run will work, before anything is submitted: what would fail hours later is told now."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from isthmus.errors import UserError, raise_all
from isthmus.launch.profile import Profile
from isthmus.launch.run import Run
from isthmus.plan.limits import check_limits
from isthmus.sites.account import check_account as check_account_form
from isthmus.slurm.accounts import check_account, check_partition, check_qos
from isthmus.slurm.commands import NotAnswering, ask

_COMMANDS = ("sbatch", "squeue", "scancel")


def preflight(run: Run, profile: Profile, *, account: str = "") -> None:
    """Raise every fault of the place: room for files, and on Slurm limits, commands, account, partitions and QOS.

    On one's own machine nobody enforces limits, and the plan's cells are an upper estimate: `isthmus plan` tells.
    """
    faults = list(_faults_of_room(run.paths.root, sum(rule.files for rule in run.plan.rules.values())))
    if profile.on_slurm:
        broken = check_limits(run.plan)
        faults += [UserError(where=limit.limit, found=limit.found, do=limit.do) for limit in broken]
        faults += _faults_of_slurm(profile, account)
    raise_all(faults)


def _faults_of_room(results: Path, files: int) -> Iterator[UserError]:
    """Whether the file system takes so many files. Some do not say how many they take: then there is no fault."""
    there = next(folder for folder in (results, *results.parents) if folder.exists())
    of = os.statvfs(there)
    if of.f_files and of.f_favail < files:
        yield UserError(
            where=f"results '{results}'",
            found=f"the run writes about {files:,} files, and the file system takes {of.f_favail:,} more",
            do="make room, or give another folder: `--set results=FOLDER`",
        )


def _faults_of_slurm(profile: Profile, account: str) -> Iterator[UserError]:
    given = account or profile.default("slurm_account")
    if profile.site:
        try:
            check_account_form(profile.site, given)
        except UserError as error:
            yield error
            return
    missing = [name for name in _COMMANDS if shutil.which(name) is None]
    if missing:
        yield UserError(
            where=f"profile '{profile.folder.name}'",
            found=f"it runs jobs on Slurm, and there is no command {', '.join(missing)} here",
            do="run it on a login node of the cluster, or take `--profile default`",
        )
        return
    try:
        ask("sinfo", "--noheader", "--format=%R")
    except NotAnswering as error:
        yield UserError(where="Slurm", found=f"it does not answer ({error})", do="try again when it does")
        return
    checks: list[tuple[Callable[[str], None], str]] = [(check_account, given)] if given else []
    checks += [(check_partition, name) for name in sorted(profile.values("slurm_partition"))]
    checks += [(check_qos, name) for name in sorted(profile.values("qos"))]
    for check, name in checks:
        try:
            check(name)
        except UserError as error:
            yield error
