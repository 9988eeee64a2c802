"""Measured facts beside those of a site's file, and a file that holds both."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from isthmus.doctor.finding import Examination, Value
from isthmus.errors import n_of
from isthmus.sites.facts import Fact
from isthmus.sites.load import read_site
from isthmus.sites.model import Site

_MORE_IS_FINE = ("cores", "gpus", "memory_gb", "memory_mb", "max_files")
"""What a site has; its file may ask for less."""
_LIMITS = ("max_minutes", "max_jobs_submitted", "max_jobs_running")
"""What a site allows; null is no limit."""
_ROUNDED = 0.1
"""Part of an amount of memory by which it may differ: some give it in GiB, some without what the system keeps."""


def fact_of(site: Site, key: str) -> Fact[Any]:
    """The fact of a key such as `packs.cores`."""
    part, _, name = key.partition(".")
    fact: Fact[Any] = getattr(getattr(site, part), name)
    return fact


def compare(found: Examination, site: Site) -> None:
    """Remark on every measured fact that the site's file does not know or tells otherwise."""
    n_same, unknown = 0, []
    for key, value in found.measured.items():
        fact = fact_of(site, key)
        if fact.is_unknown:
            unknown.append(f"{key} = {_shown(value)}")
        elif _contradicts(key, fact.value, value):
            found.error(
                key,
                f"the site's file says {_shown(fact.value)} ({fact.status}), the machine {_shown(value)}",
                "use the file with the measured facts",
            )
        elif fact.value != value:
            found.note(key, f"the site's file says {_shown(fact.value)}, the machine has {_shown(value)}")
        else:
            n_same += 1
    if n_same:
        found.fine("site", f"{n_of(n_same, 'fact')} as the site's file says")
    if unknown:
        found.note("site", f"unknown until now: {', '.join(unknown)}")


def write_measured(path: Path, site: Site, found: Examination, source: str) -> None:
    """Write the site's file anew: unknown and contradicted facts measured, equal ones verified, the rest as it was."""
    content = site.model_dump(mode="json")
    content["profile"] = content["profile"] or None
    for part in content.values():
        if isinstance(part, dict):
            _drop_empty(part)
    for key, value in found.measured.items():
        part, _, name = key.partition(".")
        fact = fact_of(site, key)
        if fact.is_unknown or fact.value == value or _contradicts(key, fact.value, value):
            content[part][name] = {
                "value": value,
                "status": "verified",
                "source": source,
                "date": time.strftime("%Y-%m-%d"),
            }
    text = yaml.safe_dump(
        {key: value for key, value in content.items() if value is not None}, sort_keys=False, width=110
    )
    path.write_text(f"# Facts of {site.title}, some of them measured by `isthmus doctor`.\n{text}")
    read_site(path)


def _contradicts(key: str, told: Value, measured: Value) -> bool:
    """Whether a run that believes the file would fail or suffer."""
    name = key.rpartition(".")[2]
    if name == "partition":
        return told is not None and told != measured
    if name in _LIMITS:
        return measured is not None and (told is None or int(measured) < int(told))
    if name in _MORE_IS_FINE and told is not None and measured is not None:
        slack = 1 - _ROUNDED if name.startswith("memory") else 1.0
        return int(measured) < int(told) * slack
    if name == "gpu_model":
        return False
    return told is not None and told != measured


def _drop_empty(part: dict[str, Any]) -> None:
    """A fact without source or date says so by leaving them out."""
    facts = [part] if "status" in part else list(part.values())
    for fact in facts:
        if isinstance(fact, dict):
            for name in ("source", "date"):
                if not fact.get(name):
                    fact.pop(name, None)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def as_values(answer: Mapping[str, Any]) -> dict[str, Value]:
    """Facts that a compute node has told of itself."""
    return {
        "software.internet_on_nodes": bool(answer["internet"]),
        "node.architecture": str(answer["architecture"]),
    }
