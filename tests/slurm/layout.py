"""What a cluster is made of, before a single daemon runs: nodes, partitions, limits, rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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
class Partition:
    """Nodes that jobs ask for together.

    whole_nodes: a job gets all of its nodes. limits: those of the partition's own QOS, which hold for every job in it.
    """

    name: str
    nodes: tuple[str, ...]
    limits: Limits = Limits()
    max_minutes: int | None = None
    whole_nodes: bool = False
    memory_per_core_mb: int | None = None


@dataclass(frozen=True)
class Rules:
    """What a site refuses when a job is submitted.

    By partition: account_ends, last letters of the account; cores_per_gpu, CPUs a job must ask for with a GPU.
    """

    account: bool = False
    partition: bool = False
    qos: bool = False
    no_memory: bool = False
    account_ends: dict[str, str] = field(default_factory=dict)
    cores_per_gpu: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """A cluster. The first partition is the default; `qos` are those a job may name, besides `normal`."""

    name: str
    nodes: tuple[Nodes, ...]
    partitions: tuple[Partition, ...]
    accounts: tuple[str, ...] = ("project_465",)
    qos: dict[str, Limits] = field(default_factory=dict)
    rules: Rules = Rules()

    def with_limits(self, partition: str, limits: Limits) -> Layout:
        """The same cluster with other limits of a partition."""
        changed = tuple(
            replace(each, limits=limits) if each.name == partition else each for each in self.partitions
        )
        return replace(self, partitions=changed)


GENERIC = Layout(
    name="generic",
    nodes=(
        Nodes(("g1", "g2"), cores=16, memory_mb=64_000),
        Nodes(("g3",), cores=16, memory_mb=64_000, gpus="a100:2"),
    ),
    partitions=(
        Partition("shared", ("g1", "g2"), Limits(max_submitted=200, max_running=3), max_minutes=24 * 60),
        Partition("whole", ("g1", "g2"), Limits(max_submitted=100), max_minutes=120, whole_nodes=True),
        Partition("gpu", ("g3",), Limits(max_submitted=100, max_running=2), max_minutes=120),
    ),
    qos={
        "high": Limits(preempts=("low", "lowest"), priority=100),
        "low": Limits(preempt_mode="requeue"),
        "lowest": Limits(preempt_mode="cancel"),
        "few": Limits(max_submitted=3, max_minutes=30),
    },
)
"""Any Slurm: shared nodes, whole nodes, a node with GPUs; QOS that are preempted; one with room for three jobs."""
