"""Jobs that an earlier head has left on Slurm: kept where they do what this run wants, ended where they do not.

A head that is killed leaves its jobs behind, and they go on writing. Before anything else is written, each of them is
either found to do just what the plan asks (then the executor takes it over) or cancelled and waited for.
"""

from __future__ import annotations

from collections.abc import Callable

from isthmus.errors import UserError, n_of
from isthmus.launch.jobs import planned_jobs
from isthmus.launch.run import Run
from isthmus.slurm.commands import NotAnswering, queued_jobs
from isthmus.slurm.names import JobKey, forget_names, known_names
from isthmus.slurm.orphans import end_jobs


def recover(run: Run, *, on_slurm: bool, say: Callable[[str], None]) -> None:
    """See to the jobs of an earlier head; returns when none is left that another could write beside.

    Raises
    ------
    UserError
        Slurm does not tell whether there are such jobs.
    """
    names = known_names(run.paths)
    if not names:
        return
    try:
        alive = [job for job in queued_jobs(names).values() if not job.has_ended]
        wanted = _wanted(run) if on_slurm else set()
        unwanted = [job.id for job in alive if job.comment not in wanted]
        if unwanted:
            say(f"{n_of(len(unwanted), 'job')} of an earlier head cancelled, which this run does not want")
            end_jobs(unwanted)
    except NotAnswering as error:
        raise UserError(
            where=str(run.paths.root),
            found=f"jobs of an earlier run may still be on Slurm, and it does not answer ({error})",
            do=f"try again when it does (if you know that there are none: delete {run.paths.slurm})",
        ) from None
    kept = len(alive) - len(unwanted)
    if kept:
        say(
            f"{n_of(kept, 'job')} of an earlier head {'is' if kept == 1 else 'are'} still there and will be used"
        )
    else:
        forget_names(run.paths)


def _wanted(run: Run) -> set[str]:
    """Comments of jobs that do what the plan asks."""
    return {
        JobKey(rule, sample, pack, run.plan.digest(rule, sample)).comment
        for rule, sample, pack in planned_jobs(run.plan)
    }
