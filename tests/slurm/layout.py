"""What a cluster is made of, before a single daemon runs: nodes, partitions, limits, rules."""

from __future__ import annotations

from dataclasses import dataclass, field

MEMORY_OF_A_JOB_MB = 800
"""What a job gets that asks for no memory where the partition says nothing else."""


@dataclass(frozen=True)
class Nodes:
    """Nodes of one shape; they claim it, the machine need not have it. `gpus` is 'mi250:8' or empty."""

    names: tuple[str, ...]
    cores: int
    memory_mb: int
    threads_per_core: int = 1
    gpus: str = ""


@dataclass(frozen=True)
class Limits:
    """A QOS: jobs and CPUs a user may have in it at a time, and minutes of a job; None for no limit.

    A QOS with a name among `preempts` of another gives way to it: its jobs start again (`requeue`) or end (`cancel`).
    """

    max_submitted: int | None = None
    max_running: int | None = None
    max_cpus: int | None = None
    max_minutes: int | None = None
    preempts: tuple[str, ...] = ()
    preempt_mode: str = ""
    priority: int = 0


@dataclass(frozen=True)
class Rules:
    """What a partition refuses when a job is submitted.

    account, qos: jobs must name one. no_memory: they must not ask for memory. account_end: last letters of the account.
    cores_per_gpu: CPUs that a job must ask for with a GPU. login_shell: job scripts must be those of one.
    """

    account: bool = False
    qos: bool = False
    no_memory: bool = False
    account_end: str = ""
    cores_per_gpu: int = 0
    login_shell: bool = False


@dataclass(frozen=True)
class Partition:
    """Nodes that jobs ask for together.

    whole_nodes: a job gets all of its nodes. limits: those of the partition's own QOS, which hold for every job in it.
    accounts: those that may use it, all where none is named.
    """

    name: str
    nodes: tuple[str, ...]
    limits: Limits = Limits()
    max_minutes: int | None = None
    whole_nodes: bool = False
    memory_per_core_mb: int | None = None
    rules: Rules = Rules()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A cluster. The first partition is the default, unless jobs must name one; `qos` are those a job may name,
    besides `normal`."""

    name: str
    nodes: tuple[Nodes, ...]
    partitions: tuple[Partition, ...]
    accounts: tuple[str, ...] = ("project_465",)
    qos: dict[str, Limits] = field(default_factory=dict)
    must_name_partition: bool = False


GENERIC = Layout(
    name="generic",
    nodes=(
        Nodes(("g1", "g2"), cores=16, memory_mb=64_000),
        Nodes(("g3",), cores=16, memory_mb=64_000, gpus="a100:2"),
        Nodes(("f1", "f2", "l1", "l2", "r1", "r2"), cores=32, memory_mb=64_000),
    ),
    partitions=(
        Partition("shared", ("g1", "g2"), Limits(max_submitted=200, max_running=3), max_minutes=24 * 60),
        Partition("whole", ("g1", "g2"), Limits(max_submitted=100), max_minutes=120, whole_nodes=True),
        Partition("gpu", ("g3",), Limits(max_submitted=100, max_running=2), max_minutes=120),
        Partition("faults", ("f1", "f2")),
        Partition("lost", ("l1", "l2")),
        Partition("requeued", ("r1",), whole_nodes=True),
        Partition("preempted", ("r2",), whole_nodes=True),
    ),
    qos={
        "high": Limits(preempts=("low", "lowest"), priority=100),
        "low": Limits(preempt_mode="requeue"),
        "lowest": Limits(preempt_mode="cancel"),
        "few": Limits(max_submitted=3, max_minutes=30),
    },
)
"""Any Slurm: shared nodes, whole nodes, a node with GPUs; QOS that are preempted; one with room for three jobs.

Faults that are caused at the same time have partitions of their own, so that none meets the jobs of another.
"""
