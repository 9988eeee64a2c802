"""The configuration files of Slurm, as text, from a layout."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from slurm.layout import MEMORY_OF_A_JOB_MB, Layout, Nodes, Partition, Rules

CONTROLLER_PORT = 16817
DATABASE_PORT = 16819
NODE_PORT = 17000
PORTS_OF_A_CLUSTER = 1000
JOBS_OF_A_CLUSTER = 100_000
"""Ids of jobs differ between clusters of one machine: control groups and processes are told apart by them."""
HOST = "localhost"

_TIMES = """\
ReturnToService=2
KillWait=2
MinJobAge=300
SlurmctldTimeout=20
SlurmdTimeout=8
BatchStartTimeout=10
MessageTimeout=10
InactiveLimit=0
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=2,sched_min_interval=0,batch_sched_delay=0,max_rpc_cnt=0
"""


def slurm_conf(layout: Layout, root: Path, *, cgroups: bool, number: int = 0) -> str:
    """slurm.conf of a cluster of this machine, the one with this number.

    `cgroups` says whether the machine lets Slurm limit memory by control groups.
    """
    ports = number * PORTS_OF_A_CLUSTER
    lines = [
        f"ClusterName={root.name}",
        f"SlurmctldHost={HOST}(127.0.0.1)",
        f"SlurmctldPort={CONTROLLER_PORT + ports}",
        f"FirstJobId={1 + number * JOBS_OF_A_CLUSTER}",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        "CryptoType=crypto/munge",
        f"AuthInfo=socket={root}/munge.socket",
        f"StateSaveLocation={root}/state",
        f"SlurmdSpoolDir={root}/spool/%n",
        f"SlurmctldPidFile={root}/run/slurmctld.pid",
        f"SlurmdPidFile={root}/run/slurmd.%n.pid",
        "SlurmdParameters=config_overrides",
        "MpiDefault=none",
        "SwitchType=switch/none",
        "PropagateResourceLimits=NONE",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        "PreemptType=preempt/qos",
        "PreemptMode=REQUEUE",
        "JobRequeue=1",
        "GresTypes=gpu",
        "MaxArraySize=1001",
        "MaxJobCount=10000",
        f"DefMemPerNode={MEMORY_OF_A_JOB_MB}",
        "JobSubmitPlugins=lua",
        "AccountingStorageType=accounting_storage/slurmdbd",
        "AccountingStorageHost=127.0.0.1",
        f"AccountingStoragePort={DATABASE_PORT + ports}",
        f"AccountingStoragePass={root}/munge.socket",
        "AccountingStorageEnforce=associations,limits,qos",
        "AccountingStorageTRES=gres/gpu",
        *_limiting(cgroups),
    ]
    nodes = [*_node_lines(layout.nodes, NODE_PORT + ports)]
    partitions = [_partition_line(each, first=number == 0) for number, each in enumerate(layout.partitions)]
    return "\n".join(lines) + "\n" + _TIMES + "\n".join([*nodes, *partitions]) + "\n"


def slurmdbd_conf(root: Path, *, number: int = 0) -> str:
    """slurmdbd.conf of the cluster with this number."""
    return "\n".join(
        [
            "AuthType=auth/munge",
            f"AuthInfo=socket={root}/munge.socket",
            f"DbdHost={HOST}",
            "DbdAddr=127.0.0.1",
            f"DbdPort={DATABASE_PORT + number * PORTS_OF_A_CLUSTER}",
            "SlurmUser=root",
            f"PidFile={root}/run/slurmdbd.pid",
            "StorageType=accounting_storage/mysql",
            "StorageHost=localhost",
            "StorageUser=root",
            "StorageLoc=accounting",
            "",
        ]
    )


def gres_conf(layout: Layout, devices: Path | None) -> str:
    """gres.conf; `devices` holds device files for GPUs that are not there, None where such cannot be made."""
    lines = []
    for nodes in layout.nodes:
        if nodes.gpus:
            kind, _, number = nodes.gpus.partition(":")
            what = f"File={devices}/gpu[0-{int(number) - 1}]" if devices else f"Count={number}"
            lines += [f"NodeName={name} Name=gpu Type={kind} {what}" for name in nodes.names]
    return "\n".join([*lines, ""])


def cgroup_conf() -> str:
    """cgroup.conf: memory is limited, as on real sites; cores and devices are not."""
    return "ConstrainRAMSpace=yes\nConstrainSwapSpace=no\nConstrainCores=no\nConstrainDevices=no\n"


def job_submit_lua(layout: Layout) -> str:
    """job_submit.lua: refuses what the site refuses."""
    checks = "\n".join(_all_checks(layout))
    return f"""\
local NONE = 1.8e19  -- what is not given has the highest numbers

local function given(number)
   return number ~= nil and number > 0 and number < 0xfffffffe
end

local function refuse(message)
   slurm.log_user("%s", message)
   return slurm.ERROR
end

function slurm_job_submit(job, partitions, user)
   local partition = job.partition or "{layout.partitions[0].name}"
{checks}
   return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, user)
   return slurm.SUCCESS
end

return slurm.SUCCESS
"""


def _limiting(cgroups: bool) -> list[str]:
    if cgroups:
        return [
            "ProctrackType=proctrack/cgroup",
            "TaskPlugin=task/cgroup",
            "JobAcctGatherType=jobacct_gather/cgroup",
            "JobAcctGatherFrequency=task=1",
        ]
    return [
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherParams=OverMemoryKill",
        "JobAcctGatherFrequency=task=1",
    ]


def _node_lines(shapes: Iterable[Nodes], port: int) -> Iterable[str]:
    for nodes in shapes:
        for name in nodes.names:
            gpus = f" Gres=gpu:{nodes.gpus}" if nodes.gpus else ""
            yield (
                f"NodeName={name} NodeHostname={HOST} NodeAddr=127.0.0.1 Port={port} Sockets=1"
                f" CoresPerSocket={nodes.cores} ThreadsPerCore={nodes.threads_per_core}"
                f" RealMemory={nodes.memory_mb}{gpus} State=UNKNOWN"
            )
            port += 1


def _partition_line(partition: Partition, *, first: bool) -> str:
    words = [
        f"PartitionName={partition.name}",
        f"Nodes={','.join(partition.nodes)}",
        f"Default={'YES' if first else 'NO'}",
        f"QOS={partition_qos(partition)}",
        f"OverSubscribe={'EXCLUSIVE' if partition.whole_nodes else 'NO'}",
        f"MaxTime={partition.max_minutes or 'INFINITE'}",
        "DefaultTime=10",
        "State=UP",
    ]
    if partition.memory_per_core_mb:
        words.append(f"DefMemPerCPU={partition.memory_per_core_mb}")
    if partition.accounts:
        words.append(f"AllowAccounts={','.join(partition.accounts)}")
    return " ".join(words)


def partition_qos(partition: Partition) -> str:
    """The QOS whose limits hold for every job of a partition."""
    return f"of_{partition.name}"


def _all_checks(layout: Layout) -> Iterable[str]:
    if layout.must_name_partition:
        yield _refusal("job.partition == nil", "give a partition: --partition")
    for partition in layout.partitions:
        for condition, message in (*_checks(partition.name, partition.rules), *_time_checks(partition)):
            yield _refusal(f'partition == "{partition.name}" and {condition}', message)


def _checks(partition: str, rules: Rules) -> Iterable[tuple[str, str]]:
    """What is refused in a partition, and the message."""
    if rules.account:
        yield "job.account == nil", "give an account: --account"
    if rules.qos:
        yield "job.qos == nil", "give a QOS: --qos"
    if rules.no_memory:
        asked = "job.pn_min_memory ~= nil and job.pn_min_memory < NONE"
        yield asked, "memory must not be asked for: leave --mem and --mem-per-cpu out"
    if letters := rules.account_end:
        wrong = f'(job.account or ""):sub(-{len(letters)}) ~= "{letters}"'
        yield wrong, f"accounts of the partition {partition} end with {letters}"
    if rules.login_shell:
        wrong = '(job.script or ""):sub(1, 14) ~= "#!/bin/bash -l"'
        yield wrong, "begin the script with #!/bin/bash -l"
    if cores := rules.cores_per_gpu:
        asked = '(job.tres_per_node or job.gres or ""):find("gpu")'
        wrong = f"{asked} and (not given(job.cpus_per_task) or job.cpus_per_task < {cores})"
        yield wrong, f"ask for {cores} CPUs with each GPU in the partition {partition}"


def _time_checks(partition: Partition) -> Iterable[tuple[str, str]]:
    """Slurm lets root pass a partition's time limit; a user would be refused."""
    if most := partition.max_minutes:
        over = f"given(job.time_limit) and job.time_limit > {most}"
        yield over, f"the time limit of the partition {partition.name} is {most} minutes"


def _refusal(condition: str, message: str) -> str:
    return f'   if {condition} then return refuse("{message}") end'
