"""Run the workflow: check, repair, Snakemake with a progress display, and plain words at the end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from isthmus.errors import EXIT_FINE, EXIT_OURS, EXIT_USER, UserError, n_of
from isthmus.launch.check import check_run, check_writable
from isthmus.launch.display import Display
from isthmus.launch.ending import end_on_sigterm
from isthmus.launch.head import Head, is_held
from isthmus.launch.head_job import HandOver, is_head_job, submit_head, submit_next, warned_of_end
from isthmus.launch.locks import drop_stale_locks
from isthmus.launch.overrides import to_snakemake
from isthmus.launch.preflight import preflight, unused_gpus
from isthmus.launch.profile import Profile, read_profile
from isthmus.launch.progress import ProgressReader
from isthmus.launch.published import note_published
from isthmus.launch.recover import recover
from isthmus.launch.repair import Damage, find_outdated, jobs_made_again, repair
from isthmus.launch.run import Run
from isthmus.launch.site import machine_of_profile
from isthmus.launch.sweep import sweep
from isthmus.launch.tidy import tidy
from isthmus.packs.tied import tie_to_parent
from isthmus.plan.news import NewsReader
from isthmus.sites.account import snakemake_options
from isthmus.slurm.commands import NotAnswering, cancel, queued_jobs
from isthmus.slurm.names import forget_names, known_names

REPOSITORY = Path(__file__).resolve().parents[3]
SNAKEFILE = REPOSITORY / "workflow" / "Snakefile"

_POLL_S = 0.5
_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line; `words` are those of the command line itself."""

    config: Path
    overrides: dict[str, Any]
    cores: int
    profile: Path
    arguments: tuple[str, ...] = ()
    account: str = ""
    head_in_job: bool = False
    head_min: int | None = None
    words: tuple[str, ...] = ()


def execute(request: Request) -> int:
    """Run the workflow; returns the exit code."""
    run = Run.from_files(
        [request.config],
        overrides=request.overrides,
        cores=request.cores,
        machine=machine_of_profile(request.profile),
    )
    check_run(run)
    if _only_looks(request.arguments):
        outdated = [_seen(path) for path in find_outdated(run.plan, run.paths)]
        return subprocess.call(_command(request, [], forced=outdated))
    profile = read_profile(request.profile)
    preflight(run, profile, account=request.account, is_whole=_is_whole(request))
    if request.head_in_job and not is_head_job():
        return _submit_head(request, run, profile)
    began = time.time()
    try:
        with warned_of_end(), Head(run.paths.work) as head:
            with Display(run.paths.logs / "isthmus.log") as display, end_on_sigterm():
                for text in (head.told, unused_gpus(run, profile)):
                    if text:
                        display.say(text)
                code = _work(request, run, profile, display, began)
            return _tell(run, code, time.time() - began)
    except HandOver:
        sys.stdout.write(f"the time of this job is nearly up: job {submit_next(run.paths)} goes on\n")
        return EXIT_FINE


def _submit_head(request: Request, run: Run, profile: Profile) -> int:
    if is_held(run.paths.work):
        Head(run.paths.work).take()  # tells who holds it
    job = submit_head(
        run.paths,
        profile,
        request.words,
        account=request.account,
        minutes=request.head_min,
        exported=profile.exported(request.arguments),
    )
    sys.stdout.write(
        f"the head of the run is job {job}; `isthmus status {run.paths.root}` tells how far it is\n"
        f"log: {run.paths.logs / 'slurm' / f'head.{job}.log'}\n"
    )
    return EXIT_FINE


def _work(request: Request, run: Run, profile: Profile, display: Display, began: float) -> int:
    """The run itself; returns Snakemake's exit code."""
    recover(run, on_slurm=profile.on_slurm, say=display.say)
    # Jobs of an earlier head that are still there may be writing.
    if not known_names(run.paths) and (n_left := sweep(run.plan, run.paths)):
        display.say(f"{n_of(n_left, 'file')} removed that killed jobs had not finished")
    run.begin()
    for old in run.paths.errors.glob("*.json"):
        old.unlink()
    damages = repair(run.plan, run.paths)
    for damage in damages:
        display.say(f"{damage.job}: {damage.what}; made again")
    code = _phases(request, run, damages, display, began)
    if code == 0:
        note_published(run.plan, run.paths)
        if _is_whole(request):
            # A run of some targets may leave jobs of an earlier head alive that it did not need.
            forget_names(run.paths)
            _tidy(run, display)
    return code


def _only_looks(arguments: Sequence[str]) -> bool:
    """Whether Snakemake is asked for something else than to run the workflow: then it speaks for itself."""
    looks = (
        *(
            "--dry",
            "--dag",
            "--rulegraph",
            "--filegraph",
            "--d3dag",
            "--summary",
            "--detailed-summary",
            "--lint",
        ),
        *("--list", "--unlock", "--report", "--help", "--version", "--cleanup", "--print", "--archive"),
    )
    bundles = [word for word in arguments if re.fullmatch(r"-[a-zA-Z]+", word)]
    return any(word.startswith(looks) for word in arguments) or any(
        set("nlDSh") & set(word) for word in bundles
    )


def _is_whole(request: Request) -> bool:
    """Whether nothing but the whole workflow was asked for: words after the options would be targets."""
    return all(word.startswith("-") for word in request.arguments)


def _tidy(run: Run, display: Display) -> None:
    if not run.settings.execution.keep_intermediates and tidy(run.plan, run.paths):
        display.say("removed the intermediates of segmentation (execution.keep_intermediates keeps them)")


def _phases(request: Request, run: Run, damages: Sequence[Damage], display: Display, began: float) -> int:
    """What is damaged comes first, by itself: its results come out as they were, so nothing after it is made again."""
    drop_stale_locks(run.paths.root)
    again = jobs_made_again(run.plan, run.paths, damages)
    # Step after step: within one call, what comes after a job that runs would run too.
    named = [damage for damage in damages if damage.targets]
    for _, of_rule in groupby(named, key=lambda damage: damage.rule):
        targets = sorted({_seen(target) for damage in of_rule for target in damage.targets})
        code = _run_snakemake(_command(request, targets), run, display, began, again)
        if code:
            return code
    outdated = [_seen(path) for path in find_outdated(run.plan, run.paths)]
    return _run_snakemake(_command(request, [], forced=outdated), run, display, began, again)


def _seen(path: Path) -> str:
    """A path as the workflow names it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _command(request: Request, targets: Sequence[str], *, forced: Sequence[str] = ()) -> list[str]:
    command = [sys.executable, "-m", "snakemake"]
    if forced:
        command += ["--forcerun", *forced]
    if request.overrides:
        # first, because it takes all words up to the next option, and those at the end are targets
        command += ["--config", *to_snakemake(request.overrides)]
    command += ["--snakefile", str(SNAKEFILE), "--configfile", str(request.config.resolve())]
    profile = read_profile(request.profile)
    # a limit of this machine must not become one of jobs that run elsewhere
    cores = "--local-cores" if profile.on_slurm else "--cores"
    command += ["--profile", str(request.profile), cores, str(request.cores)]
    command += snakemake_options(profile.site, request.account)
    return [*command, *targets, *request.arguments]


def _run_snakemake(
    command: Sequence[str], run: Run, display: Display, began: float, again: Collection[str]
) -> int:
    reader = ProgressReader(run.plan, run.paths, began, again=again)
    news = NewsReader(run.paths.news)
    with (run.paths.logs / "snakemake.log").open("ab") as log:
        # A session of its own: Ctrl-C comes to this process alone, which then stops the workflow in good order.
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=tie_to_parent,  # noqa: PLW1509 - this process has no threads that hold locks
        )
        try:
            while process.poll() is None:
                _show(display, reader, news)
                time.sleep(_POLL_S)
        except HandOver:
            # Its jobs go on: who comes next takes them over.
            _kill(process)
            raise
        except BaseException:
            _stop(process)
            _cancel_all(run, display)
            raise
    _show(display, reader, news)
    return process.returncode


def _show(display: Display, reader: ProgressReader, news: NewsReader) -> None:
    for text in news.read():
        display.say(text)
    display.show(reader.read())


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the workflow and all its jobs; kill what does not end in time."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=_PATIENCE_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return


def _cancel_all(run: Run, display: Display) -> None:
    """Cancel on Slurm what the workflow could not cancel in its time."""
    try:
        left = [job.id for job in queued_jobs(known_names(run.paths)).values() if not job.has_ended]
        if left:
            cancel(left)
    except NotAnswering as error:
        display.say(f"jobs could not be cancelled ({error}); the next run sees to them")


def _tell(run: Run, code: int, seconds: float) -> int:
    """Say how the run ended; returns the exit code."""
    if code == 0:
        sys.stdout.write(
            f"done in {seconds:.0f} s\nreport: {run.paths.report}\ncells:  {run.paths.cohort_table}\n"
        )
        return EXIT_FINE
    ours = False
    failures = [json.loads(file.read_text()) for file in sorted(run.paths.errors.glob("*.json"))]
    for failure in failures:
        ours = ours or failure["ours"]
        for line in failure["lines"]:
            sys.stderr.write(f"error: {failure['job']}: {line}\n")
        if failure["ours"]:
            sys.stderr.write(f"       this is a fault of Isthmus; please report it with {failure['log']}\n")
    if not failures:
        check_writable(run.paths.root)  # a full or read-only disk takes no word of what went wrong
        log = run.paths.logs / "snakemake.log"
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        if lines and "--unlock" in lines[-1]:
            raise UserError(
                where=str(run.paths.root),
                found=f"another workflow that was started in {Path.cwd()} holds files of this run",
                do="wait for it, or start this run in another working directory",
            )
        sys.stderr.write(
            f"error: Snakemake ended with code {code}: {lines[-1] if lines else ''}; see {log}\n"
        )
    return EXIT_OURS if ours or not failures else EXIT_USER
