"""The executor for Slurm: what is handed to sbatch, and the plugin that it stands on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import os
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
import snakemake_executor_plugin_slurm as plugin
from snakemake_executor_plugin_slurm import submit_string, utils, validation
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from isthmus.errors import UserError
from isthmus.launch.site import interpreter_of
from isthmus.slurm.commands import NotAnswering
from isthmus.slurm.environment import clean_environment
from isthmus.slurm.sbatch import submit
from snakemake_executor_plugin_isthmus_slurm.submission import last_word, make_script

LEANT_ON = (
    plugin.Executor.__init__,
    plugin.Executor.__post_init__,
    plugin.Executor.shutdown,
    plugin.Executor.run_jobs,
    plugin.Executor._submit_job,
    plugin.Executor._report_job_submission_threadsafe,
    plugin.Executor._report_job_error_threadsafe,
    plugin.Executor.run_job,
    plugin.Executor.additional_general_args,
    plugin.Executor.check_active_jobs,
    plugin.Executor.cancel_jobs,
    plugin.Executor.get_account_arg,
    plugin.Executor.get_partition_arg,
    submit_string.get_submit_command,
    utils.set_gres_string,
    validation.validate_slurm_extra,
    validation.validate_or_get_slurm_job_id,
    RemoteExecutor.__init__,
    RemoteExecutor._wait_for_jobs,
    RemoteExecutor.sleep,
    RemoteExecutor.cancel,
    RemoteExecutor.shutdown,
    RemoteExecutor.get_job_args,
    RealExecutor.format_job_exec,
)


KNOWN = "f912eba8ae72c5c9027d4c8fed46f17acd83ccbeb849d3c05cdcb67a8cf29c0b"
"""Digest of the sources of what our executor replaces or leans on, as they were when it was written."""


def test_the_plugin_is_the_one_that_we_know():
    assert importlib.metadata.version("snakemake-executor-plugin-slurm") == "2.8.0"
    sources = "".join(inspect.getsource(function) for function in LEANT_ON)
    assert hashlib.sha256(sources.encode()).hexdigest() == KNOWN, (
        "what the executor replaces or leans on has changed: read it again, then note its new digest"
    )


def run_script(tmp_path: Path, command: str, **options):
    script = tmp_path / "job.sh"
    script.write_text(make_script("a job", command, folder=tmp_path / "words of jobs", warn_s=90))
    (tmp_path / "words of jobs").mkdir()
    environment = {**os.environ, "SLURM_JOB_ID": "12", "TMPDIR": str(tmp_path)}
    return subprocess.Popen(["sh", str(script)], env=environment, **options)


def test_the_first_line_is_what_the_site_wants(tmp_path):
    script = make_script("a job", "true", folder=tmp_path, warn_s=90, interpreter=interpreter_of("deucalion"))
    assert script.splitlines()[0] == "#!/bin/bash -l"
    assert make_script("a job", "true", folder=tmp_path, warn_s=90).startswith("#!/bin/sh\n")
    assert interpreter_of("lumi_c") == interpreter_of("no site") == interpreter_of("") == "/bin/sh"


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_leaves_its_exit_code(tmp_path, code):
    (tmp_path / "stale").mkdir()
    assert run_script(tmp_path, f"sh -c 'exit {code}'").wait() == code
    assert last_word(tmp_path / "words of jobs", "12") == code
    assert last_word(tmp_path / "words of jobs", "13") is None


def test_the_warning_becomes_a_file_and_the_job_goes_on(tmp_path):
    command = (
        """sh -c 'until [ -e "$ISTHMUS_WARNED" ]; do sleep 0.05; done; echo $ISTHMUS_WARNED_S; exit 5'"""
    )
    job = run_script(tmp_path, command, stdout=subprocess.PIPE, text=True)
    time.sleep(0.3)
    job.send_signal(signal.SIGUSR1)
    said, _ = job.communicate(timeout=10)
    assert (job.returncode, said.strip()) == (5, "90")
    assert last_word(tmp_path / "words of jobs", "12") == 5
    assert not list(tmp_path.glob("isthmus-warned*"))


def test_the_environment_of_the_login_stays_behind():
    login = {
        "HOME": "/h",
        "PATH": "/bin",
        "LD_LIBRARY_PATH": "/lib",
        "CONDA_PREFIX": "/conda",
        "PYTHONPATH": "/h/python",
        "DISPLAY": ":0",
        "SLURM_CONF": "/etc/s.conf",
        "ISTHMUS_CACHE": "/c",
        "MINE": "1",
        "OPENBLAS_CORETYPE": "Haswell",
        "NUMBA_CACHE_DIR": "/project/kernels",
    }
    kept = clean_environment(login, also=["MINE"])
    assert {
        "HOME",
        "PATH",
        "LD_LIBRARY_PATH",
        "SLURM_CONF",
        "ISTHMUS_CACHE",
        "MINE",
        "OPENBLAS_CORETYPE",
        "NUMBA_CACHE_DIR",
    } <= set(kept)
    assert not {"CONDA_PREFIX", "DISPLAY"} & set(kept)
    assert kept["PYTHONPATH"].endswith("workflow")
    assert kept["PYTHONNOUSERSITE"] == "1"


def fake_sbatch(folder: Path, body: str) -> Path:
    path = folder / "sbatch"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def call(sbatch: Path, *, there=lambda: "", said=None, patience_s=5.0):
    return submit(
        [str(sbatch)],
        "#!/bin/sh\n",
        environment=os.environ,
        there=there,
        say=(said if said is not None else []).append,
        stopping=threading.Event(),
        pause_s=0.02,
        patience_s=patience_s,
    )


def test_a_job_is_submitted_through_standard_input(tmp_path):
    assert call(fake_sbatch(tmp_path, "grep -q bin/sh && echo 41")) == "41"


@pytest.mark.parametrize(
    "fault",
    [
        "Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "Batch job submission failed: Socket timed out on send/recv operation",
        "QOSMaxSubmitJobPerUserLimit",
    ],
)
def test_what_passes_is_waited_for(tmp_path, fault):
    flag, said = tmp_path / "flag", []
    body = f'[ -e {flag} ] && echo 41 && exit; touch {flag}; echo "sbatch: error: {fault}" >&2; exit 1'
    assert call(fake_sbatch(tmp_path, body), said=said) == "41"
    assert len(said) == 1
    assert fault in said[0]


def test_a_job_that_came_in_unheard_is_not_submitted_twice(tmp_path):
    count = tmp_path / "count"
    body = f'echo x >>{count}; echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1'
    assert call(fake_sbatch(tmp_path, body), there=lambda: "40") == "40"
    assert count.read_text() == "x\n"


def test_nothing_is_submitted_again_while_it_is_open_whether_the_first_came_in(tmp_path):
    count, answers = tmp_path / "count", [NotAnswering("squeue"), NotAnswering("squeue"), "40"]

    def there():
        answer = answers.pop(0)
        if isinstance(answer, NotAnswering):
            raise answer
        return answer

    body = f'echo x >>{count}; echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1'
    assert call(fake_sbatch(tmp_path, body), there=there) == "40"
    assert count.read_text() == "x\n"


def test_patience_ends_also_when_it_stays_open(tmp_path):
    def there():
        raise NotAnswering("squeue gave no answer")

    count = tmp_path / "count"
    body = f'echo x >>{count}; echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1'
    with pytest.raises(UserError, match="does not tell whether it has taken the job"):
        call(fake_sbatch(tmp_path, body), there=there, patience_s=0.1)
    assert count.read_text() == "x\n"


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (
            "Batch job submission failed: Invalid account or account/partition combination specified",
            "--account",
        ),
        (
            "Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
            "packs",
        ),
        ("Memory specification can not be satisfied", "memory"),
        ("Job violates some odd rule", "site"),
    ],
)
def test_a_refusal_is_told_at_once_with_what_to_do(tmp_path, fault, hint):
    with pytest.raises(UserError, match=hint) as caught:
        call(fake_sbatch(tmp_path, f'echo "sbatch: error: {fault}" >&2; exit 1'))
    assert fault in str(caught.value)


def test_patience_ends(tmp_path):
    body = 'echo "sbatch: error: Unable to contact slurm controller" >&2; exit 1'
    with pytest.raises(UserError, match="Unable to contact"):
        call(fake_sbatch(tmp_path, body), patience_s=0.1)


def test_a_stopped_run_submits_nothing(tmp_path):
    stopping = threading.Event()
    stopping.set()
    sbatch = fake_sbatch(tmp_path, f"touch {tmp_path}/called")
    words = {"environment": os.environ, "there": lambda: "", "say": print, "stopping": stopping}
    assert submit([str(sbatch)], "", **words) == ""
    assert not (tmp_path / "called").exists()
