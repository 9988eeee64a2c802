"""The batch script of a job, and the last word that it leaves."""

from __future__ import annotations

import shlex
from pathlib import Path

_SCRIPT = """#!{interpreter}
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


def make_script(title: str, command: str, *, folder: Path, warn_s: int, interpreter: str = "/bin/sh") -> str:
    """The batch script.

    It runs the command, passes the scheduler's warning (USR1) on as a file that a pack looks for, and leaves the exit
    code as the job's last word in `folder`, named by the job's id. Some sites want the interpreter of a login shell.
    """
    folder_word = shlex.quote(str(folder))
    return _SCRIPT.format(
        interpreter=interpreter,
        title=title,
        command=command,
        warn_s=warn_s,
        last_word=f'{folder_word}/"$SLURM_JOB_ID".exit',
    )


def last_word(folder: Path, job: str) -> int | None:
    """The exit code that a job has left; None where it has not."""
    try:
        return int((folder / f"{job}.exit").read_text())
    except (OSError, ValueError):
        return None
