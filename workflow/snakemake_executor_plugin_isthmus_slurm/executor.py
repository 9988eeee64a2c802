"""The executor: how a job gets into the queue, what has become of it, and how that is told."""

from __future__ import annotations

import asyncio
import os
import shlex
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import snakemake_executor_plugin_slurm as slurm_plugin
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string
from snakemake_executor_plugin_slurm.validation import validate_or_get_slurm_job_id, validate_slurm_extra
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from isthmus.errors import UserError
from isthmus.launch.site import SITE, interpreter_of
from isthmus.plan.paths import RunPaths
from isthmus.slurm.accounts import check_account
from isthmus.slurm.commands import NotAnswering, accounted_states, cancel, queued_jobs
from isthmus.slurm.environment import clean_environment, split_names
from isthmus.slurm.names import JobKey, known_names, note_name
from isthmus.slurm.orphans import Orphans
from isthmus.slurm.sbatch import submit, wait_for_answer
from isthmus.slurm.watch import Fate, Verdict, Watch
from snakemake_executor_plugin_isthmus_slurm.settings import LONGEST_POLL_S
from snakemake_executor_plugin_isthmus_slurm.submission import last_word, make_script
from snakemake_executor_plugin_isthmus_slurm.telling import Teller

_SHORTEST_POLL_S = 3.0
_NAP_S = 0.5
_WARNED_LESS_S = 30
_SILENCE_TOLD_AFTER_S = 45.0


class Executor(slurm_plugin.Executor):  # type: ignore[misc]
    """Submits jobs to Slurm and follows them. What is not here is the plugin's."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        # A head may run inside a job (`isthmus run --head-in-job`): its allocation is not that of its jobs.
        for name in [name for name in os.environ if name.startswith("SLURM_") and name != "SLURM_CONF"]:
            del os.environ[name]
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._paths: RunPaths | None = None
        self._orphans = Orphans({})
        self._teller: Teller | None = None
        self._watch = Watch(accounted_states, self._queue, self._last_word)
        self._accounts: dict[str, str] = {}
        self._changed = time.monotonic()
        self._silence_told = False
        # Last, because it starts the thread that looks after jobs.
        super().__init__(workflow, logger)

    def __post_init__(self, test_mode: bool = False) -> None:
        """Say either way whether Slurm puts jobs back into the queue: what it does by itself is the site's choice."""
        super().__post_init__(test_mode)
        settings = self.workflow.executor_settings
        settings.requeue = not settings.no_requeue

    # into the queue

    def additional_general_args(self) -> str:
        """The Snakemake of a job runs it itself: no Slurm step, so nothing to ask the controller for when it begins."""
        return "--executor local"

    def run_job(self, job: Any) -> None:
        """Submit a job, or take over that of an earlier head which does the same."""
        try:
            if not self._stopping.is_set():
                self._bring_into_queue(job)
        except (UserError, WorkflowError, NotAnswering, OSError) as error:
            self._refuse(job, str(error))
        except Exception as error:
            self.logger.error(f"submission of {job} failed", exc_info=True)
            self._refuse(job, f"{type(error).__name__}: {error}")

    def _bring_into_queue(self, job: Any) -> None:
        key = key_of(job)
        paths, teller = self._meet(job)
        found = self._orphans.take(key)
        if found:
            teller.say(
                f"{key.title}: job {found.id} of an earlier head is taken over ({found.state.lower()})"
            )
            id_ = found.id
        else:
            teller.forget_error(key)
            id_ = self._submit(job, key, paths)
            if not id_:
                return
        status = "running" if found and found.state == "RUNNING" else "submitted"
        teller.note(key, {"status": status, "slurm_job": id_, "attempt": job.attempt})
        self._changed = time.monotonic()
        aux = {"key": key, "slurm_logfile": self._log(key, id_)}
        self._report_job_submission_threadsafe(SubmittedJobInfo(job, external_jobid=id_, aux=aux))

    def _meet(self, job: Any) -> tuple[RunPaths, Teller]:
        """With the first job, the results folder is known, and with it the name of the run and its orphans."""
        with self._lock:
            if self._paths is None or self._teller is None:
                paths = RunPaths(Path(self.workflow.workdir_init, str(job.params.results)).resolve())
                teller = Teller(paths, self.logger)
                paths.slurm.mkdir(parents=True, exist_ok=True)
                earlier = wait_for_answer(
                    lambda: queued_jobs(known_names(paths)), say=teller.say, stopping=self._stopping
                )
                self._orphans = Orphans(earlier)
                self.run_uuid = note_name(paths)
                self.slurm_logdir = paths.logs / "slurm"
                # Last: whoever finds them set goes on without asking.
                self._paths, self._teller = paths, teller
            return self._paths, self._teller

    def _submit(self, job: Any, key: JobKey, paths: RunPaths) -> str:
        """The id of the new job; empty when the run is being stopped meanwhile."""
        validate_slurm_extra(job)
        settings = self.workflow.executor_settings
        self.slurm_logdir.mkdir(parents=True, exist_ok=True)
        params = {
            "run_uuid": self.run_uuid,
            "slurm_logfile": self._log(key, "%j"),
            "comment_str": key.comment,
            "account": next(self.get_account_arg(job)),
            "partition": self.get_partition_arg(job),
            "workdir": self.workflow.workdir_init,
        }
        call = get_submit_command(job, params, settings=settings, failed_nodes=self._failed_nodes)
        call += set_gres_string(job)
        warn_s = settings.warn_seconds
        if warn_s and "--signal" not in str(job.resources.get("slurm_extra", "")):
            call += f" --signal=B:USR1@{warn_s}"
        # What comes last on the command line counts: all cores of the job, whatever the head has.
        command = f"{self.format_job_exec(job)} --cores {job.threads}"
        script = make_script(
            key.title,
            command,
            folder=paths.slurm,
            warn_s=max(1, warn_s - _WARNED_LESS_S),
            interpreter=interpreter_of(str(job.resources.get(SITE, ""))),
        )
        said = submit(
            shlex.split(call),
            script,
            environment=clean_environment(os.environ, also=split_names(settings.export)),
            there=lambda: self._is_there(key),
            say=self._say,
            stopping=self._stopping,
        )
        return validate_or_get_slurm_job_id(said, said) if said else ""

    def _is_there(self, key: JobKey) -> str:
        """The id of a job that came into the queue although `sbatch` said otherwise."""
        alive = [job for job in self._queue().values() if job.comment == key.comment and not job.has_ended]
        return alive[0].id if alive else ""

    def _refuse(self, job: Any, why: str) -> None:
        if self._teller is not None:
            self._teller.refused(key_of(job), why)
        # The next attempt would be refused as well.
        job.attempt = job.restart_times + 1
        self._report_job_error_threadsafe(SubmittedJobInfo(job), f"{why}. ")

    def get_account_arg(self, job: Any) -> Iterator[str]:
        """The account as an option of `sbatch`, looked up once."""
        given = self.workflow.executor_settings.account or job.resources.get("slurm_account") or ""
        account = str(given).strip()
        with self._lock:
            if account and account not in self._accounts:
                check_account(account)
                self._accounts[account] = f" -A {shlex.quote(account)}"
        yield self._accounts.get(account, "")

    # what has become of jobs

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report jobs that have ended; yield the others."""
        if not active_jobs:
            return
        ids = [str(info.external_jobid) for info in active_jobs]
        async with self.status_rate_limiter:
            verdicts = await asyncio.to_thread(self._watch.look, ids)
        self._tell_silence()
        for info in active_jobs:
            verdict = verdicts[str(info.external_jobid)]
            if verdict.fate is Fate.ALIVE:
                self._tell_wait(info, verdict)
                yield info
                continue
            self._changed = time.monotonic()
            if verdict.fate is Fate.DONE:
                self.report_job_success(info)
            else:
                await asyncio.to_thread(self._fail, info, verdict)

    def _fail(self, info: SubmittedJobInfo, verdict: Verdict) -> None:
        job, aux = info.job, info.aux or {}
        if self._teller is None:  # pragma: no cover - there are no jobs without
            return
        told = self._teller.failed(
            aux["key"],
            str(info.external_jobid),
            verdict.state,
            attempt=job.attempt,
            attempts=job.restart_times + 1,
        )
        if told.node and not self.workflow.executor_settings.requeue:
            self._failed_nodes.add(told.node)
        if not told.again:
            job.attempt = max(job.attempt, job.restart_times + 1)
        self.report_job_error(info, msg=f"{told.text}. ", aux_logs=[str(aux["slurm_logfile"])])

    def _tell_wait(self, info: SubmittedJobInfo, verdict: Verdict) -> None:
        if self._teller is not None and info.aux:
            self._teller.waits(info.aux["key"], str(info.external_jobid), verdict)

    def _tell_silence(self) -> None:
        silent = self._watch.silent_s >= _SILENCE_TOLD_AFTER_S
        if silent and not self._silence_told:
            self._say("Slurm does not answer; the run goes on when it does")
        self._silence_told = silent

    def _say(self, text: str) -> None:
        if self._teller is not None:
            self._teller.say(text)

    def _queue(self) -> dict[str, Any]:
        # Jobs taken over have the names of earlier places of the folder.
        return queued_jobs({self.run_uuid, *known_names(self._paths)}) if self._paths else {}

    def _last_word(self, id_: str) -> int | None:
        return last_word(self._paths.slurm, id_) if self._paths else None

    def _log(self, key: JobKey, id_: str) -> Path:
        return Path(self.slurm_logdir) / f"{key.name}.{id_}.log"

    async def sleep(self) -> None:
        """Wait until the next look: shortly after something has happened, at most `poll_seconds` later on."""
        longest = min(LONGEST_POLL_S, max(_SHORTEST_POLL_S, self.workflow.executor_settings.poll_seconds))
        began = time.monotonic()
        while self.wait:
            now = time.monotonic()
            if now - began >= min(longest, max(_SHORTEST_POLL_S, (now - self._changed) / 4)):
                return
            await asyncio.sleep(_NAP_S)

    # the end

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Cancel every job of the run, also those that are just being submitted or looked at."""
        self._stopping.set()
        self._job_submission_executor.shutdown(wait=True)
        if self._paths is None:
            return
        ids = [str(info.external_jobid) for info in active_jobs if info.external_jobid]
        try:
            cancel([f"--name={self.run_uuid}"])
            if ids:
                cancel(ids)
        except NotAnswering as error:
            self.logger.warning(f"jobs could not be cancelled ({error}); the next run sees to them")


def key_of(job: Any) -> JobKey:
    """What a job of this workflow does."""
    wildcards = dict(job.wildcards.items()) if job.wildcards else {}
    return JobKey(
        job.rule.name,
        wildcards.get("sample", ""),
        wildcards.get("pack", ""),
        str(job.params.get("digest", "")),
    )
