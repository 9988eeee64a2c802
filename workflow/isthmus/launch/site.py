"""The machine that `--site` or a profile names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from isthmus.errors import UserError
from isthmus.plan.machine import Machine
from isthmus.sites.load import load_site, site_of_profile
from isthmus.sites.model import Site

SITE = "isthmus_site"
"""The default resource by which a profile names its site."""
_START_ON_SLURM_S = 5.0
"""One start of Snakemake in a job on Slurm: 4.0 CPU seconds (docs/cluster.md), and what it waits for the disk."""


def machine_of_site(name: str) -> Machine:
    """Cores, memory and limits of a site: a name in resources/sites/, or the path of such a file."""
    return _machine(load_site(name))


def machine_of_profile(folder: Path) -> Machine | None:
    """The machine that a profile is for; None for this one."""
    return _elsewhere(site_of_profile(folder))


def machine_of_resources(defaults: Mapping[str, Any] | None) -> Machine | None:
    """The machine that Snakemake's default resources name; None for this one."""
    if not defaults or SITE not in defaults:
        return None
    given = defaults[SITE]
    # Snakemake keeps what it will compute for each rule as a function, and beside it what was written
    written = getattr(given, "raw", given)
    return _elsewhere(load_site(str(written).strip("'\" ")))


def interpreter_of(name: str) -> str:
    """What runs job scripts at a site; where none is named, or its file is gone meanwhile, as everywhere."""
    try:
        return load_site(name).interpreter
    except UserError:
        return "/bin/sh"


def _elsewhere(site: Site | None) -> Machine | None:
    """None where jobs are processes of this machine, whatever it is."""
    return None if site is None or site.scheduler == "none" else _machine(site)


def _machine(site: Site) -> Machine:
    machine = site.machine()
    return machine if site.scheduler == "none" else replace(machine, job_start_s=_START_ON_SLURM_S)
