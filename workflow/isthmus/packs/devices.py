"""GPUs of a job: one worker each, so that each worker sees one only."""

from __future__ import annotations

from collections.abc import Mapping

_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")

Device = Mapping[str, str]
"""The environment in which one device, and no other, is seen."""


def devices_of(environment: Mapping[str, str]) -> tuple[Device, ...]:
    """The devices that a scheduler has given to a job, as the runtimes of the makers name them; empty for none.

    Where several variables are set, they name the same devices in the same order.
    """
    named = {name: _split(environment[name]) for name in _VARIABLES if _split(environment.get(name, ""))}
    n = min((len(ids) for ids in named.values()), default=0)
    return tuple({name: ids[number] for name, ids in named.items()} for number in range(n))


def _split(text: str) -> list[str]:
    """Ids of devices; a list that says that there is none is empty."""
    ids = [part.strip() for part in text.split(",") if part.strip()]
    return [] if ids[:1] in (["-1"], ["NoDevFiles"]) else ids
