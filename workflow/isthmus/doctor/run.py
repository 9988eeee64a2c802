"""Examine a site: this machine, and the cluster that it is a login node of."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from isthmus.doctor.finding import Examination
from isthmus.doctor.measured import compare, write_measured
from isthmus.doctor.place import examine_here
from isthmus.doctor.probe import Probe
from isthmus.doctor.queues import examine_slurm
from isthmus.errors import UserError
from isthmus.sites.account import check_account
from isthmus.sites.model import Site

_OF_A_CLUSTER = "scheduler, partitions, limits, compute nodes"


@dataclass(frozen=True)
class Order:
    """What to examine: the folder where results would go, the account of jobs, whether a job may be submitted."""

    site: Site | None
    folder: Path
    account: str = ""
    probe: bool = False


def examine(order: Order) -> Examination:
    """Everything that can be found out."""
    found = Examination()
    examine_here(found, order.folder)
    site = order.site
    if site is None or site.scheduler != "slurm":
        found.not_checked(
            _OF_A_CLUSTER, "jobs are processes of this machine", "on a login node, give --site or --profile"
        )
        return found
    try:
        check_account(site, order.account)
    except UserError as error:
        found.error(error.where, error.found, error.do.replace("isthmus run", "isthmus doctor"))
    if not examine_slurm(found, site, order.account):
        found.not_checked(_OF_A_CLUSTER, "Slurm does not answer")
        return found
    if order.probe:
        Probe(site, order.folder, order.account).examine(found)
    else:
        found.not_checked(
            "compute nodes",
            "shared file system, clock, internet, GPUs, caches",
            "give --probe, which submits a small job",
        )
    compare(found, site)
    return found


def write_facts(order: Order, found: Examination, path: Path) -> bool:
    """Write the file with the measured facts, if anything was measured of a cluster."""
    if order.site is None or not found.measured or order.site.scheduler != "slurm":
        return False
    write_measured(path, order.site, found, f"isthmus doctor, {time.strftime('%Y-%m-%d')}")
    return True
