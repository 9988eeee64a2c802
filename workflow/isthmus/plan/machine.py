"""What the plan needs to know of the machine that a run is for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Cores, memory and limits, for jobs that work in packs and, where that differs, for light ones.

    None is "no limit", or "unknown" where `unknown` names the field.

    Parameters
    ----------
    name
        How messages call it.
    cores
        Physical cores that one pack job may use.
    cpus_per_core
        What the scheduler counts for one core, 2 where it counts hardware threads.
    memory_mb
        Usable by one pack job, MiB.
    billed_cores
        Cores that one pack job is billed for: all of the node where nodes are exclusive; None: those that it uses.
    least_cores
        Cores that one pack job asks for at least, and is billed for: those of its GPU, or those that bring its memory.
    max_minutes
        Longest wall time of a pack job.
    max_jobs_submitted, max_jobs_running
        Of one user, in the partition of the packs.
    max_files, max_storage_gb
        Of the storage where results lie.
    job_start_s
        Wall seconds from a job's start until its step begins, which are billed too: Snakemake's own start.
    gpus
        Devices that one pack job may use.
    light_cores, light_memory_mb, light_max_minutes, light_billed_cores, light_least_cores
        The same for jobs that go elsewhere (`plan.queues`); None: as for packs (billed: the cores that are used).
    unknown
        Names of fields that are None because nobody has said what they are.
    """

    name: str = "this machine"
    cores: int = 4
    cpus_per_core: int = 1
    memory_mb: int | None = None
    billed_cores: int | None = None
    max_minutes: int | None = None
    max_jobs_submitted: int | None = None
    max_jobs_running: int | None = None
    max_files: int | None = None
    max_storage_gb: float | None = None
    job_start_s: float = 2.0
    gpus: int = 0
    light_cores: int | None = None
    light_memory_mb: int | None = None
    light_max_minutes: int | None = None
    light_billed_cores: int | None = None
    least_cores: int = 1
    light_least_cores: int = 1
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names of fields that are not there, and numbers that cannot be."""
        names = set(self.__dataclass_fields__)
        strange = [name for name in self.unknown if name not in names or getattr(self, name) is not None]
        if strange:
            raise ValueError(f"said to be unknown, but no field or known: {', '.join(strange)}")
        if self.cores < 1 or self.cpus_per_core < 1:
            raise ValueError("a machine has a core at least")
