"""One Slurm for all tests of a process; one session at a time on a machine.

Tests run in several processes side by side, because they wait most of the time. Each has a cluster of its own where the
machine lets processes have mounts of their own; where not, one process works after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from made_once import made_once

from slurm import packages
from slurm.apart import number_of_process, see_own_configuration
from slurm.cluster import Cluster
from slurm.layout import GENERIC
from slurm.on_slurm import Bases

LOCK = Path("/tmp/isthmus-slurm.lock")
ROOT = Path("/tmp/isthmus-slurm")
WAIT_S = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need a Slurm."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("slurm")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster, without a layout: a test loads its own."""
    if reason := packages.why_not():
        pytest.skip(reason)
    with FileLock(LOCK, timeout=WAIT_S):
        if reason := packages.install():
            pytest.skip(reason)
    number = number_of_process()
    if not see_own_configuration(ROOT.with_name(f"{ROOT.name}-{number}-etc")):
        number = 0
    root = ROOT.with_name(f"{ROOT.name}-{number}")
    with FileLock(root.with_suffix(".lock"), timeout=WAIT_S):
        made = Cluster(root, number)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    """A small study at several stages."""
    return made_once(tmp_path_factory, "bases", Bases.make)


@pytest.fixture
def generic(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster as a generic Slurm site, without jobs."""
    cluster.load(GENERIC)
    cluster.wait_for_nodes()
    yield cluster
    cluster.clear_jobs()


@pytest.fixture
def confined_memory(cluster: Cluster) -> None:
    """Skips where Slurm cannot end a job as soon as it takes more memory than it asked for."""
    if not cluster.confines_memory:
        pytest.skip("memory is not confined by control groups of version 1 here")


@pytest.fixture
def devices(cluster: Cluster) -> None:
    """Skips where nothing can be put in the place of GPUs: jobs are told of devices that there are alone."""
    if cluster.devices is None:
        pytest.skip("devices in the place of GPUs cannot be made here")
