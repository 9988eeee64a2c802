"""`sbatch`, with patience where waiting helps."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import TypeVar

from isthmus.errors import UserError
from isthmus.slurm.commands import ANSWER_S, NotAnswering

_SILENT = (
    "unable to contact slurm controller",
    "socket timed out",
    "not responding",
    "connection refused",
    "temporarily",
    "zero bytes were transmitted",
    "transport endpoint is not connected",
    "gave no answer",
)
_NO_ANSWER = "Slurm does not answer"
_FULL = ("maxsubmitjob", "max submit job")
_PAUSE_S = 5.0
_PATIENCE_S = 900.0

Answer = TypeVar("Answer")


def submit(
    words: Sequence[str],
    script: str,
    *,
    environment: Mapping[str, str],
    there: Callable[[], str],
    say: Callable[[str], None],
    stopping: Event,
    where: str = "sbatch",
    pause_s: float = _PAUSE_S,
    patience_s: float = _PATIENCE_S,
) -> str:
    """Hand a script to `sbatch`; what it answers, which holds the job's id, or nothing if the run is stopped meanwhile.

    A controller that does not answer and a queue that takes no more jobs of this user are waited for. A job that came
    into the queue although `sbatch` did not say so (`there` knows its id) is not submitted twice: after an answer that
    leaves this open, nothing is submitted until `there` has answered.

    Raises
    ------
    UserError
        Slurm refuses the job.
    """
    until = time.monotonic() + patience_s
    told, is_open = "", False
    while not stopping.is_set():
        said, fault = _call(words, script, environment)
        if not fault:
            return said
        why = _worth_waiting(fault)
        is_open = is_open or why == _NO_ANSWER
        if not why or time.monotonic() > until:
            raise UserError(where=where, found=f"Slurm refuses the job ({fault})", do=_what_to_do(fault))
        if why != told:
            say(f"{why} ({fault}); trying again")
            told = why
        while not stopping.wait(pause_s):
            try:
                if id_ := there():
                    return id_
            except NotAnswering as error:
                if is_open and time.monotonic() > until:
                    raise UserError(
                        where=where,
                        found=f"Slurm does not tell whether it has taken the job ({fault}; {error})",
                        do="run again when it answers: a job that it has taken is then used",
                    ) from None
                if is_open:
                    continue
            is_open = False
            break
    return ""


def wait_for_answer(
    question: Callable[[], Answer],
    *,
    say: Callable[[str], None],
    stopping: Event,
    pause_s: float = _PAUSE_S,
    patience_s: float = _PATIENCE_S,
) -> Answer:
    """What Slurm answers, asked again while it does not.

    Raises
    ------
    NotAnswering
        It does not within `patience_s`, or the run is stopped meanwhile.
    """
    until = time.monotonic() + patience_s
    told = False
    while True:
        try:
            return question()
        except NotAnswering as error:
            if stopping.is_set() or time.monotonic() > until:
                raise
            if not told:
                say(f"Slurm does not answer ({error}); trying again")
                told = True
        stopping.wait(pause_s)


def _call(words: Sequence[str], script: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """(answer, fault); one of them is empty."""
    try:
        done = subprocess.run(
            words,
            input=script,
            env=dict(environment),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", "sbatch gave no answer"
    if done.returncode == 0 and "submission failed" not in done.stderr:
        return done.stdout.strip(), ""
    lines = [line.removeprefix("sbatch: error: ").strip() for line in done.stderr.splitlines()]
    return "", "; ".join(dict.fromkeys(line for line in lines if line)) or "sbatch said nothing"


def _worth_waiting(fault: str) -> str:
    """Why a submission may succeed later; empty where it will not."""
    low = fault.lower()
    if any(sign in low for sign in _FULL):
        return "Slurm takes no more jobs of this user for now"
    return _NO_ANSWER if any(sign in low for sign in _SILENT) else ""


def _what_to_do(fault: str) -> str:
    """A hint for refusals that are common."""
    low = fault.lower()
    hints = {
        "memory": "the job asks for more memory than a node has: fewer workers or smaller blocks need less",
        "invalid account": "give the account of your project: `isthmus run --account NAME`",
        "invalid qos": "give a profile whose QOS your account may use",
        "invalid partition": "give a profile whose partition this cluster has",
        "node configuration": "no node of the partition is as large as the job asks: fewer workers need less",
        "time limit": "the job asks for more time than allowed: more packs make it shorter (execution.packs)",
    }
    return next((hint for sign, hint in hints.items() if sign in low), "mend the profile or ask the site")
