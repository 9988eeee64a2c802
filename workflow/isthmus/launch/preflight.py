"""Looks at the place where a run will work, before anything is submitted: what would fail hours later is told now."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

from isthmus.config.segmentation import needs_gpu
from isthmus.errors import UserError, raise_all
from isthmus.launch.profile import Profile
from isthmus.launch.room import faults_of_room
from isthmus.launch.run import Run
from isthmus.plan.limits import check_limits
from isthmus.sites.account import check_account as check_account_form
from isthmus.slurm.accounts import check_account, check_partition, check_qos
from isthmus.slurm.commands import NotAnswering, ask

_COMMANDS = ("sbatch", "squeue", "scancel")


def preflight(run: Run, profile: Profile, *, account: str = "", is_whole: bool = True) -> None:
    """Raise every fault of the place: room for files, and on Slurm limits, commands, account, partitions and QOS.

    On one's own machine nobody enforces limits, and the plan's cells are an upper estimate: `isthmus plan` tells.
    What a part of the workflow (not `is_whole`) will write is not known.
    """
    rules = run.plan.rules.values()
    mb, files = sum(rule.storage_mb for rule in rules), sum(rule.files for rule in rules)
    faults = list(faults_of_room(run.paths.root, mb=mb, files=files)) if is_whole else []
    if profile.on_slurm:
        broken = check_limits(run.plan)
        faults += [UserError(where=limit.limit, found=limit.found, do=limit.do) for limit in broken]
        faults += _faults_of_slurm(profile, account)
        faults += _faults_of_gpus(run, profile)
    raise_all(faults)


def unused_gpus(run: Run, profile: Profile) -> str:
    """What to say when packs would take GPU nodes for a method that has no use for them; empty where they do not."""
    methods = _methods(run)
    if not profile.on_slurm or not run.plan.machine.gpus or any(map(needs_gpu, methods)):
        return ""
    what = f"the profile '{profile.folder.name}' gives packs GPUs, and the method '{methods[0]}' uses none"
    return f"{what}: a profile of CPU nodes costs less"


def _faults_of_gpus(run: Run, profile: Profile) -> Iterator[UserError]:
    for method in filter(needs_gpu, _methods(run)):
        if not run.plan.machine.gpus:
            yield UserError(
                where="segmentation.method",
                found=f"'{method}' needs GPUs, and the profile '{profile.folder.name}' gives packs none",
                do="take a profile of GPU nodes (profiles/README.md)",
            )


def _methods(run: Run) -> list[str]:
    """The segmentation methods of the samples."""
    plan = run.plan
    named = [sample.settings(plan.settings)["segmentation"]["method"] for sample in plan.samples.values()]
    return sorted(set(named))


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
