"""The head of a run as a job of its own, for systems whose login nodes forbid long processes.

The job is small. Some minutes before its time is up Slurm warns it: it leaves its jobs alone, submits the same job once
more, and ends; the next one takes the jobs over, as after any death of a head.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType

from isthmus.errors import UserError
from isthmus.launch.profile import Profile
from isthmus.plan.paths import RunPaths
from isthmus.sites.account import qos_of_account
from isthmus.slurm.commands import NotAnswering, ask, queued_jobs
from isthmus.slurm.details import to_minutes
from isthmus.slurm.environment import clean_environment
from isthmus.slurm.names import head_name
from isthmus.slurm.sbatch import submit
from isthmus.steps.job import write_json

_IN_JOB = "ISTHMUS_HEAD_IN_JOB"
_MEMORY_MB = 2000
_LONGEST_MIN = 24 * 60
_WARN_S = 120
_PATIENCE_S = _WARN_S - 20.0
"""For a controller that is away: longer would outlast the job that hands over."""
_SCRIPT = """#!{interpreter}
# the head of a run
{variable}="$SLURM_JOB_ID"
export {variable}
exec {command}
"""


class HandOver(BaseException):
    """The time of the job that the head runs in is nearly up."""


def submit_head(
    paths: RunPaths,
    profile: Profile,
    words: Sequence[str],
    *,
    account: str,
    minutes: int | None,
    exported: Sequence[str] = (),
) -> str:
    """Submit `isthmus` with these words as a job that gets these variables too; returns its id."""
    if not profile.on_slurm:
        raise UserError(
            where="--head-in-job",
            found=f"profile '{profile.folder.name}' does not run jobs on Slurm",
            do="give a profile that does",
        )
    command = shlex.join([sys.executable, "-P", "-m", "isthmus", *words])
    (paths.logs / "slurm").mkdir(parents=True, exist_ok=True)
    options = ["sbatch", "--parsable", f"--job-name={head_name(paths.root)}", "--requeue", "--export=ALL"]
    options += [f"--output={paths.logs / 'slurm'}/head.%j.log", "--open-mode=append"]
    options += ["--ntasks=1", "--cpus-per-task=1", f"--signal=B:USR1@{_WARN_S}", f"--chdir={Path.cwd()}"]
    options += [f"--time={minutes or _longest(profile)}", *_of_profile(profile, account)]
    interpreter = profile.site.interpreter if profile.site else "/bin/sh"
    script = _SCRIPT.format(interpreter=interpreter, variable=_IN_JOB, command=command)
    write_json(_note(paths), {"options": options, "script": script, "exported": [*exported]})
    return _sbatch(paths, options, script, exported=exported)


def is_head_job() -> bool:
    """Whether this process is the head in a job."""
    return bool(os.environ.get(_IN_JOB))


def submit_next(paths: RunPaths) -> str:
    """Submit the job that follows this one, to begin when this has ended; returns its id."""
    try:
        noted = json.loads(_note(paths).read_text())
        options, script = [str(word) for word in noted["options"]], str(noted["script"])
        exported = [str(name) for name in noted.get("exported", [])]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            where=str(_note(paths)), found=f"cannot be read ({error})", do="start the run again"
        ) from None
    after = f"--dependency=afterany:{os.environ[_IN_JOB]}"
    return _sbatch(paths, [*options, after], script, exported=exported)


@contextmanager
def warned_of_end() -> Iterator[None]:
    """Within this, in a job of its own, the scheduler's warning raises HandOver."""
    if not is_head_job() or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGUSR1, _hand_over)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def _hand_over(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    raise HandOver


def _note(paths: RunPaths) -> Path:
    return paths.slurm / "head_job.json"


def _of_profile(profile: Profile, account: str) -> Iterator[str]:
    """Options of the head's job, as the profile has them for light jobs."""
    given = account or profile.default("slurm_account")
    values = {
        "account": given,
        "partition": profile.default("slurm_partition"),
        "qos": qos_of_account(profile.site, given) or profile.default("qos"),
        "constraint": profile.default("constraint"),
    }
    yield from (f"--{option}={value}" for option, value in values.items() if value)
    if profile.default("mem_mb") != "0":  # there, memory must not be asked for
        yield f"--mem={_MEMORY_MB}"


def _longest(profile: Profile) -> int:
    """Minutes: a day, or as long as the partition allows."""
    partition = profile.default("slurm_partition")
    words = [f"--partition={partition}"] if partition else []
    try:
        limits = [to_minutes(line) for line in ask("sinfo", "--noheader", "--format=%l", *words).splitlines()]
    except NotAnswering:
        limits = []
    return int(min([_LONGEST_MIN, *(limit for limit in limits if limit)]))


def _sbatch(paths: RunPaths, options: Sequence[str], script: str, *, exported: Sequence[str]) -> str:
    """Submit it, with patience for a controller that does not answer; returns the job's id."""

    def there() -> str:
        mine = os.environ.get(_IN_JOB, "")
        queued = queued_jobs([head_name(paths.root)]).values()
        return next((job.id for job in queued if job.id != mine and not job.has_ended), "")

    said = submit(
        options,
        script,
        environment=clean_environment(os.environ, also=exported),
        there=there,
        say=lambda text: print(text, flush=True),  # noqa: T201 - there is no display yet, or none any more
        stopping=Event(),
        where="--head-in-job",
        patience_s=_PATIENCE_S,
    )
    return said.split(";")[0]
