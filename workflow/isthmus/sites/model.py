"""A site: one class of nodes of a machine room, as `resources/sites/<name>.yaml` tells of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PrivateAttr

from isthmus.plan.machine import Machine
from isthmus.plan.rules import GPU, LIGHT
from isthmus.sites.facts import Fact, Part

_MIB_PER_GB = 1e9 / 2**20
_PLANNED_SHARE = 0.8
"""Of the installed memory, where nobody has said how much a job may use."""


class NodeFacts(Part):
    """The nodes that packs run on."""

    cores: Fact[int] = Field(description="Physical cores of a node.")
    threads_per_core: Fact[int] = Field(description="Hardware threads of a core.")
    cpus_per_core: Fact[int] = Field(
        description="What the scheduler counts for one core that a job asks for."
    )
    memory_gb: Fact[int] = Field(description="Installed memory, GB.")
    gpus: Fact[int] = Field(description="GPUs of a node; 0 for none.")
    gpu_model: Fact[str] = Field(description="What the GPUs are.")
    architecture: Fact[Literal["x86_64", "aarch64"]] = Field(description="Instruction set.")


class QueueFacts(Part):
    """Where a kind of job goes, and what one such job may use."""

    partition: Fact[str] = Field(description="Partition; null takes the scheduler's default.")
    qos: Fact[str] = Field(description="QOS that jobs name; null for none.")
    whole_node: Fact[bool] = Field(description="Whether a job gets, and is billed for, whole nodes.")
    cores: Fact[int] = Field(description="Physical cores that one job may use.")
    memory_mb: Fact[int] = Field(description="Memory that one job may use, MiB.")
    max_minutes: Fact[int] = Field(description="Longest wall time, minutes.")
    max_jobs_submitted: Fact[int] = Field(description="Jobs that a user may have in the queue.")
    max_jobs_running: Fact[int] = Field(description="Jobs of a user that may run at once.")


class SubmissionFacts(Part):
    """What a job must and must not say."""

    account_required: Fact[bool] = Field(description="Whether a job needs an account.")
    account_form: Fact[str] = Field(description="How accounts look, for messages.")
    account_suffix: Fact[str] = Field(description="Last letters of the accounts that these nodes take.")
    qos_required: Fact[bool] = Field(description="Whether a job needs a QOS.")
    qos_is_account: Fact[bool] = Field(description="Whether the QOS has the account's name.")
    memory_is_asked: Fact[bool] = Field(
        description="Whether jobs may ask for memory; false: --mem is refused."
    )
    memory_per_core_mb: Fact[int] = Field(description="Memory that comes with a core, MiB.")
    gpu_request: Fact[Literal["gres", "gpus", "gpus-per-node"]] = Field(description="How GPUs are asked for.")
    cores_per_gpu: Fact[int] = Field(description="Cores that a job must ask for with each GPU.")
    login_shell: Fact[bool] = Field(
        Fact(value=None, status="unknown", source="", date=""),
        description="Whether job scripts must be those of a login shell: `#!/bin/bash -l`.",
    )


class StorageFacts(Part):
    """The storage that results lie on."""

    place: Fact[str] = Field(description="Where results go.")
    max_files: Fact[int] = Field(description="Files and folders that it takes.")
    max_gb: Fact[int] = Field(description="What it holds, GB.")
    purge_days: Fact[int] = Field(description="Days after which untouched files are deleted.")


class SoftwareFacts(Part):
    """What a run meets besides the scheduler."""

    internet_on_nodes: Fact[bool] = Field(description="Whether compute nodes reach the internet.")
    head: Fact[Literal["login", "job"]] = Field(description="Where the head of a run may live for hours.")
    login_rule: Fact[str] = Field(description="What login nodes allow.")


class Site(Part):
    """One class of nodes with everything that a plan and a profile need to know of it."""

    title: str = Field(description="How messages call it.")
    profile: str = Field("", description="Name of the profile; that of the file where it is not given.")
    summary: str = Field(description="What it is, in one line.")
    scheduler: Literal["slurm", "none"] = Field(description="`none`: jobs are processes of this machine.")
    tested: Literal["imitation only", "by the project's tests", "on the real machine"] = Field(
        description="How the profile was tested."
    )
    contact: Fact[str] = Field(description="Where its users find help.")
    node: NodeFacts = Field(description="The nodes that packs run on.")
    packs: QueueFacts = Field(description="Where packs go; on GPU nodes those of pass 1.")
    light: QueueFacts = Field(description="Where all other jobs go.")
    submission: SubmissionFacts = Field(description="What a job must and must not say.")
    storage: StorageFacts = Field(description="The storage that results lie on.")
    software: SoftwareFacts = Field(description="What a run meets besides the scheduler.")

    _name: str = PrivateAttr("")

    @property
    def name(self) -> str:
        """The name of its file."""
        return self._name

    @property
    def interpreter(self) -> str:
        """What runs job scripts."""
        return "/bin/bash -l" if self.submission.login_shell.value else "/bin/sh"

    @property
    def gpus_per_pack(self) -> int:
        """GPUs that a pack of pass 1 asks for: all of a whole node, else one."""
        gpus = self.node.gpus.value or 0
        return gpus if self.packs.whole_node.value else min(gpus, 1)

    def least_cores(self, rule: str) -> int:
        """Cores that a rule's job asks for at least: those of its GPU, or those that bring its memory."""
        asked = self.submission
        if rule in GPU and self.gpus_per_pack and not self.packs.whole_node.value:
            return asked.cores_per_gpu.value or 1
        return (self.light.cores.value or 1) if self.memory_comes_with_cores else 1

    @property
    def memory_comes_with_cores(self) -> bool:
        """Whether a job gets more memory by asking for more cores, and in no other way."""
        asked = self.submission
        return asked.memory_is_asked.value is False and bool(asked.memory_per_core_mb.value)

    def machine(self) -> Machine:
        """What the plan needs of it; where usable memory is unknown, it is four fifths of the installed."""
        cores = self.node.cores.value or 1
        packs, light = self.packs, self.light
        values: dict[str, Any] = {
            "memory_mb": _memory(packs, self.node),
            "max_minutes": packs.max_minutes.value,
            "max_jobs_submitted": packs.max_jobs_submitted.value,
            "max_jobs_running": packs.max_jobs_running.value,
            "max_files": self.storage.max_files.value,
            "max_storage_gb": self.storage.max_gb.value,
            "light_memory_mb": _memory(light, self.node),
            "light_max_minutes": light.max_minutes.value,
        }
        unsure = {
            "memory_mb": packs.memory_mb,
            "max_minutes": packs.max_minutes,
            "max_jobs_submitted": packs.max_jobs_submitted,
            "max_jobs_running": packs.max_jobs_running,
            "max_files": self.storage.max_files,
            "max_storage_gb": self.storage.max_gb,
            "light_memory_mb": light.memory_mb,
            "light_max_minutes": light.max_minutes,
        }
        return Machine(
            name=self.title,
            cores=packs.cores.value or cores,
            cpus_per_core=self.node.cpus_per_core.value or 1,
            billed_cores=cores if packs.whole_node.value else None,
            least_cores=self.least_cores(GPU[0]),
            gpus=self.gpus_per_pack,
            light_cores=light.cores.value,
            light_billed_cores=cores if light.whole_node.value else None,
            light_least_cores=self.least_cores(LIGHT[0]),
            unknown=tuple(name for name, fact in unsure.items() if fact.is_unknown and values[name] is None),
            **values,
        )


def _memory(queue: QueueFacts, node: NodeFacts) -> int | None:
    if queue.memory_mb.value is not None or node.memory_gb.value is None:
        return queue.memory_mb.value
    return int(node.memory_gb.value * _MIB_PER_GB * _PLANNED_SHARE)
