"""What a rule will need."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Prediction(BaseModel):
    """What one rule will need in the whole run.

    workers, memory_mb and minutes are those of its largest job; of the memory, each worker takes worker_mb. most_mb is
    what a job may come to need at worst, where that is bounded but not foreseen. cpu_hours is the time that cores work,
    core_hours what is billed for. files counts folders too; storage_mb is what the rule leaves on disk, intermediates
    included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs: int
    workers: int
    memory_mb: int
    worker_mb: int = 0
    most_mb: int = 0
    minutes: int
    cpu_hours: float = 0.0
    core_hours: float
    files: int
    storage_mb: float = 0.0
