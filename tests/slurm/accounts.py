"""Clusters, accounts, users and QOS in Slurm's database, in one call of sacctmgr."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from slurm.layout import Layout, Limits
from slurm.texts import partition_qos

_NO_LIMIT = -1


def commands(layout: Layout, cluster: str) -> list[str]:
    """What makes the database hold a layout, whatever it held before; repeating it changes nothing."""
    named = {**layout.qos, **{partition_qos(each): each.limits for each in layout.partitions}}
    words = [f"add cluster {cluster}"]
    words += [f"add qos {name}" for name in ("normal", *named)]
    for name, limits in named.items():
        # limits of a partition win over those of the job's QOS unless that says otherwise
        flags = "DenyOnLimit,OverPartQOS" if name in layout.qos else "DenyOnLimit"
        words.append(f"modify qos where name={name} set {' '.join(_settings(limits))} Flags={flags}")
    for account in layout.accounts:
        words.append(f"add account {account} cluster={cluster} description={account} organization=tests")
        words.append(f"add user root account={account} cluster={cluster}")
        qos = ",".join(["normal", *layout.qos])
        words.append(f"modify account where name={account} cluster={cluster} set qos={qos}")
    words.append(f"modify user where name=root cluster={cluster} set defaultaccount={layout.accounts[0]}")
    return words


def apply(lines: Iterable[str]) -> str:
    """Hand commands to sacctmgr; returns what it said. Adding what is there is no error."""
    done = subprocess.run(
        ["sacctmgr", "--immediate"],
        input="".join(f"{line}\n" for line in [*lines, "quit"]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def _settings(limits: Limits) -> Iterable[str]:
    for key, value in (
        ("MaxSubmitJobsPerUser", limits.max_submitted),
        ("MaxJobsPerUser", limits.max_running),
        ("MaxWall", limits.max_minutes),
    ):
        yield f"{key}={_NO_LIMIT if value is None else value}"
    yield f"MaxTRESPerUser=cpu={_NO_LIMIT if limits.max_cpus is None else limits.max_cpus}"
    yield f"Priority={limits.priority}"
    if limits.preempts:
        yield f"Preempt={','.join(limits.preempts)}"
    if limits.preempt_mode:
        yield f"PreemptMode={limits.preempt_mode}"
