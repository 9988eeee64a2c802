"""What is handed to `sbatch`: the script of a job, and an environment without the leavings of a login."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

# What software needs in order to start; everything else of the login stays behind.
_KEPT = (
    *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ"),
    *("PATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SLURM_CONF"),
)
_OURS = ("ISTHMUS_", "SNAKEMAKE_")
_WORKFLOW = Path(__file__).resolve().parents[1]

_SCRIPT = """#!/bin/sh
# {title}
rm -f {last_word}
ISTHMUS_WARNED="${{TMPDIR:-/tmp}}/isthmus-warned-$SLURM_JOB_ID"
ISTHMUS_WARNED_S={warn_s}
export ISTHMUS_WARNED ISTHMUS_WARNED_S
rm -f "$ISTHMUS_WARNED"
trap ': >"$ISTHMUS_WARNED"' USR1
trap ':' TERM
{command} &
job=$!
wait $job
code=$?
while [ $code -gt 128 ] && kill -0 $job 2>/dev/null; do
    wait $job
    code=$?
done
rm -f "$ISTHMUS_WARNED"
echo $code >{last_word}.new && mv {last_word}.new {last_word}
exit $code
"""


def make_script(title: str, command: str, *, folder: Path, warn_s: int) -> str:
    """The batch script.

    It runs the command, passes the scheduler's warning (USR1) on as a file that a pack looks for, and leaves the exit
    code as the job's last word in `folder`, named by the job's id.
    """
    folder_word = shlex.quote(str(folder))
    return _SCRIPT.format(
        title=title, command=command, warn_s=warn_s, last_word=f'{folder_word}/"$SLURM_JOB_ID".exit'
    )


def last_word(folder: Path, job: str) -> int | None:
    """The exit code that a job has left; None where it has not."""
    try:
        return int((folder / f"{job}.exit").read_text())
    except (OSError, ValueError):
        return None


def clean_environment(environment: Mapping[str, str], *, also: Iterable[str] = ()) -> dict[str, str]:
    """The part of an environment that jobs get: what software needs to start, our own variables, and those in `also`.

    Python finds this workflow's package, and nothing that a user has installed for himself.
    """
    names = {*_KEPT, *also}
    kept = {name: value for name, value in environment.items() if name in names or name.startswith(_OURS)}
    search = [str(_WORKFLOW)] + [
        part for part in kept.get("PYTHONPATH", "").split(os.pathsep) if part and part != str(_WORKFLOW)
    ]
    return {**kept, "PYTHONPATH": os.pathsep.join(search), "PYTHONNOUSERSITE": "1"}
