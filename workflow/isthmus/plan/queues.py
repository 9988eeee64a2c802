"""What a rule's jobs may use and are billed for on a machine, by where they go: with the packs, or with light jobs."""

from __future__ import annotations

from isthmus.plan.machine import Machine
from isthmus.plan.rules import GPU, POOLED


def goes_with_packs(rule: str, *, has_gpus: bool) -> bool:
    """Whether a rule's jobs go where packs go: GPU nodes are for what uses GPUs, and only for that."""
    return rule in (GPU if has_gpus else POOLED)


def is_with_packs(machine: Machine, rule: str) -> bool:
    """Whether a rule's jobs go where this machine's packs go."""
    return goes_with_packs(rule, has_gpus=machine.gpus > 0)


def cores_of(machine: Machine, rule: str) -> int:
    """Physical cores that one job of a rule may use."""
    light = machine.light_cores
    return machine.cores if light is None or is_with_packs(machine, rule) else light


def memory_of(machine: Machine, rule: str) -> int | None:
    """Memory that one job of a rule may use, MiB; None for no limit that is known."""
    light = machine.light_memory_mb
    return machine.memory_mb if light is None or is_with_packs(machine, rule) else light


def longest_minutes(machine: Machine, rule: str) -> int | None:
    """The longest wall time of a rule's jobs; None for no limit that is known."""
    light = machine.light_max_minutes
    return machine.max_minutes if light is None or is_with_packs(machine, rule) else light


def billed_cores(machine: Machine, rule: str, workers: int) -> int:
    """Cores that a job is billed for: whole nodes, or those of its workers, but no fewer than it must ask for."""
    whole, least = machine.light_billed_cores, machine.light_least_cores
    if is_with_packs(machine, rule):
        whole, least = machine.billed_cores, machine.least_cores
    return max(workers, least) if whole is None else whole
