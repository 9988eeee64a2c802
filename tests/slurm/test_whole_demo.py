"""The demo, whole, with the profile of a generic Slurm: the values of a run on this machine, few jobs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anndata
import compare
import pytest
from study import ISTHMUS, REPOSITORY, Ended, command

from isthmus.errors import UserError
from isthmus.fetch import fetch
from isthmus.sites.load import load_site
from slurm.cluster import Cluster
from slurm.daemons import wait_until
from slurm.imitation import imitate
from slurm.together import Together

DEMO = REPOSITORY / "config" / "imaging_transcriptomics.yaml"
SAMPLE = "breast1"


@dataclass(frozen=True)
class Both:
    """Results of the demo from Slurm and from this machine, and the Slurm jobs that it had: (id, name, state)."""

    slurm: Path
    local: Path
    jobs: list[tuple[str, ...]]


@pytest.fixture(scope="session")
def both(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Made once, at the same time."""
    try:
        fetch("xenium_breast_small")
    except UserError as error:
        pytest.skip(f"the demo data cannot be had: {error}")
    cluster.load(imitate(load_site("slurm")))
    cluster.clear_jobs()
    first = cluster.next_job()
    folder = tmp_path_factory.mktemp("demo")

    def run(name: str, more: Sequence[str]) -> Ended:
        (folder / name).mkdir()
        words = [*ISTHMUS, "run", str(DEMO), "--cores", "2", "--set", "results=out", *more]
        return command(words, folder / name, timeout_s=1200)

    on_slurm = ("--profile", "slurm", "--account", "project_465")
    runs = {name: partial(run, name, more) for name, more in (("slurm", on_slurm), ("local", ()))}
    ended = Together(runs, at_once=len(runs))
    for name in runs:
        assert ended[name].code == 0, ended[name].text
    planned = sum(
        rule["jobs"] for rule in json.loads((folder / "slurm/out/plan.json").read_text())["rules"].values()
    )
    wait_until(lambda: len(cluster.jobs_since(first)) >= planned, "the accounting of all jobs")
    return Both(folder / "slurm" / "out", folder / "local" / "out", cluster.jobs_since(first))


def test_all_values_are_those_of_a_run_on_this_machine(both: Both):
    compare.assert_same_sample(both.local, both.slurm, SAMPLE, seams=True)
    cohorts = [anndata.read_h5ad(results / "cohort" / "cells.h5ad") for results in (both.local, both.slurm)]
    compare.assert_same_table(cohorts[0], cohorts[1], seams=True)
    assert {"leiden", "cell_type", "cell_type_confidence"} <= set(cohorts[0].obs)
    assert (both.slurm / "report.html").exists()


def test_there_are_few_jobs_and_one_submission_each(both: Both):
    plan = json.loads((both.slurm / "plan.json").read_text())
    assert plan["machine"]["name"] == "a generic Slurm"
    assert len(both.jobs) == sum(rule["jobs"] for rule in plan["rules"].values())
    assert len(both.jobs) <= 2 * plan["samples"][SAMPLE]["packs"] + 14
    assert {state for _, _, state in both.jobs} == {"COMPLETED"}
    (name,) = {name for _, name, _ in both.jobs}
    assert name.startswith("isthmus-out-")
