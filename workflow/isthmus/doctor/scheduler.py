"""What Slurm says of partitions, QOS and itself, as values."""

from __future__ import annotations

import getpass
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isthmus.slurm.commands import NotAnswering, ask
from isthmus.slurm.details import to_minutes

Words = Mapping[str, str]


@dataclass(frozen=True)
class NodeShape:
    """The commonest node of a partition: what Slurm counts as CPUs, physical cores, threads of a core, MiB, GPUs."""

    cpus: int
    cores: int
    threads_per_core: int
    memory_mb: int
    gpus: int
    gpu_model: str


def partitions() -> dict[str, Words]:
    """Every partition with its settings; the default one has `Default` = `YES`."""
    text = ask("scontrol", "--oneliner", "show", "partition")
    found = [words_of(line) for line in text.splitlines() if "PartitionName=" in line]
    return {words["PartitionName"]: words for words in found}


def settings() -> Words:
    """Slurm's own configuration."""
    found = {}
    for line in ask("scontrol", "show", "config").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip()] = value.strip()
    return found


def words_of(line: str) -> Words:
    """`Name=value` words of a line."""
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def node_shape(partition: str) -> NodeShape | None:
    """The commonest node of a partition; None where it has none."""
    text = ask("sinfo", "--noheader", "--Node", f"--partition={partition}", "--format=%c|%X|%Y|%Z|%m|%G")
    lines = [line.strip() for line in text.splitlines() if line.count("|") == 5]
    if not lines:
        return None
    cpus, sockets, cores, threads, memory, gres = Counter(lines).most_common(1)[0][0].split("|")
    number, model = gpus_of(gres)
    return NodeShape(
        *(_whole(cpus), _whole(sockets) * _whole(cores), _whole(threads), _whole(memory)), number, model
    )


def gpus_of(gres: str) -> tuple[int, str]:
    """Number and model of the GPUs in words such as `gpu:a100:4(S:0-1),nvme:1`."""
    number, models = 0, []
    for found in re.finditer(r"(?:^|,)gpu(?::([A-Za-z][\w.-]*))?(?::(\d+))?(?=[(,]|$)", gres):
        number += int(found[2] or 1)
        models += [found[1]] if found[1] else []
    return number, " ".join(dict.fromkeys(models))


def qos_limits(name: str) -> Words | None:
    """Limits of a QOS, empty where there is none; None where there is no such QOS."""
    fields = ("Name", "MaxWall", "MaxJobsPU", "MaxSubmitPU")
    text = ask(*_table("qos", fields))
    rows = [dict(zip(fields, line.split("|"), strict=True)) for line in _lines(text, fields)]
    return next((row for row in rows if row["Name"] == name), None)


def associations() -> list[Words]:
    """What this user may bill jobs to, with the limits that go with it."""
    fields = ("Account", "Partition", "MaxJobs", "MaxSubmit", "QOS", "DefaultQOS")
    text = ask(*_table("associations", fields, f"user={getpass.getuser()}"))
    return [dict(zip(fields, line.split("|"), strict=True)) for line in _lines(text, fields)]


def would_take(options: Sequence[str], interpreter: str) -> str:
    """Why Slurm would refuse a job with these options; empty where it would take it. Nothing is submitted."""
    try:
        ask("sbatch", "--test-only", "--time=1", "--ntasks=1", *options, script=f"#!{interpreter}\ntrue\n")
    except NotAnswering as error:
        return str(error).removeprefix("allocation failure: ").removeprefix("sbatch: error: ")
    return ""


def least(*minutes: float | None) -> int | None:
    """The smallest of those that are limits; None where none is."""
    limits = [value for value in minutes if value is not None]
    return int(min(limits)) if limits else None


def limit(text: str) -> int | None:
    """A number of jobs; None for none."""
    return int(text) if text.strip().isdecimal() else None


def minutes_of(text: str) -> float | None:
    """Minutes of a wall time in Slurm's words; None for no limit."""
    return to_minutes(text)


def _table(what: str, fields: Sequence[str], *words: str) -> list[str]:
    return ["sacctmgr", "--noheader", "--parsable2", "show", what, *words, f"format={','.join(fields)}"]


def _lines(text: str, fields: Sequence[str]) -> list[str]:
    return [line for line in text.splitlines() if line.count("|") == len(fields) - 1]


def _whole(text: str) -> int:
    found = re.match(r"\d+", text.strip())
    return int(found[0]) if found else 0


def quoted(options: Sequence[str]) -> str:
    """Options as one would type them."""
    return shlex.join(options)
