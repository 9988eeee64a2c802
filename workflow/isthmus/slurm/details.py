"""What the accounting database knows of a job that has failed."""

from __future__ import annotations

import pwd
import re
from dataclasses import dataclass

from isthmus.slurm.commands import NotAnswering, ask, first_word

_FIELDS = "JobID,State,ExitCode,ReqMem,MaxRSS,Elapsed,Timelimit,NodeList"
_MIB = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024.0}


@dataclass(frozen=True)
class Details:
    """Of one job: memory in MiB, times in minutes; None is unknown. `signal` is the one that ended it, 0 for none.

    by is who cancelled it. out_of_memory tells whether a part of the job was ended for want of memory, even if the job
    as a whole merely failed.
    """

    state: str = ""
    exit_code: int | None = None
    signal: int = 0
    asked_mb: float | None = None
    used_mb: float | None = None
    ran_min: float | None = None
    limit_min: float | None = None
    nodes: str = ""
    by: str = ""
    out_of_memory: bool = False


def details_of(job: str) -> Details:
    """Details of a job; nothing is known when the database does not answer."""
    try:
        text = ask("sacct", "--noheader", "--parsable2", f"--format={_FIELDS}", f"--jobs={job}")
    except NotAnswering:
        return Details()
    return parse(text, job)


def parse(text: str, job: str) -> Details:
    """Read what `sacct` says of a job and its steps, one a line."""
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == _FIELDS.count(",")]
    whole = next((row for row in rows if row[0] == job), None)
    if whole is None:
        return Details()
    code, _, signal = whole[2].partition(":")
    used = [mb for row in rows if (mb := to_mb(row[4])) is not None]
    return Details(
        state=first_word(whole[1]),
        exit_code=int(code) if code.isdecimal() else None,
        signal=int(signal) if signal.isdecimal() else 0,
        asked_mb=to_mb(whole[3]),
        used_mb=max(used, default=None),
        ran_min=to_minutes(whole[5]),
        limit_min=to_minutes(whole[6]),
        nodes=whole[7] if whole[7] not in ("", "None assigned") else "",
        by=_user(whole[1]),
        out_of_memory=any(first_word(row[1]) == "OUT_OF_MEMORY" for row in rows),
    )


def to_mb(text: str) -> float | None:
    """MiB of an amount of memory in Slurm's words: `400M`, `1.5G`, `123K`, `2000Mn`; a bare number is bytes."""
    found = re.fullmatch(r"([\d.]+)([KMGT]?)[cn]?", text.strip())
    if not found:
        return None
    unit = found[2]
    return float(found[1]) * _MIB[unit] if unit else float(found[1]) / 1024 / 1024


def to_minutes(text: str) -> float | None:
    """Minutes of a duration in Slurm's words: `1-02:03:04`, `02:03:04`, `03:04`; None for `UNLIMITED` and the like."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?", text.strip())
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 1440 + hours * 60 + minutes + seconds / 60


def _user(state: str) -> str:
    """Who cancelled a job, of `CANCELLED by 1000`."""
    found = re.search(r"\bby (\d+)", state)
    if not found:
        return ""
    try:
        return pwd.getpwuid(int(found[1])).pw_name
    except KeyError:
        return f"user {found[1]}"
