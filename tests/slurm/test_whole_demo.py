"""The demo, whole, with the profile of a generic Slurm: the values of a run on this machine, few jobs.

Where its data cannot be had, a generated sample takes its place, and one test says so.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anndata
import compare
import pytest
from study import ISTHMUS, REPOSITORY, Ended, Study, command
from tissue_sample import write_sample

from isthmus.errors import UserError
from isthmus.fetch import fetch
from isthmus.sites.load import load_site
from isthmus.slurm.details import to_minutes
from slurm.cluster import Cluster
from slurm.daemons import wait_until
from slurm.imitation import imitate
from slurm.together import Together

DEMO = REPOSITORY / "config" / "imaging_transcriptomics.yaml"
START_CPU_S = 1.5
"""Of Snakemake in a job, which the plan counts as wall time: of the 2.0 that tests/slurm/test_block_overhead.py
measures, half a second is the start of the step."""


@dataclass(frozen=True)
class Both:
    """Results from Slurm and from this machine, and the Slurm jobs that there were: (id, name, state).

    no_demo: why it is not the demo.
    """

    sample: str
    no_demo: str
    slurm: Path
    local: Path
    jobs: list[tuple[str, ...]]


@pytest.fixture(scope="session")
def both(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Made once, at the same time."""
    folder = tmp_path_factory.mktemp("demo")
    config, sample, no_demo = DEMO, "breast1", ""
    try:
        fetch("xenium_breast_small")
    except UserError as error:
        no_demo = f"the demo data cannot be had: {error}"
        config = Study(folder / "made", [write_sample(folder / "made")], {"execution": {"packs": 2}}).config
        sample = "a"
    cluster.load(imitate(load_site("slurm")))
    cluster.clear_jobs()
    first = cluster.next_job()

    def run(name: str, more: Sequence[str]) -> Ended:
        (folder / name).mkdir()
        words = [*ISTHMUS, "run", str(config), "--cores", "2", "--set", "results=out", *more]
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
    return Both(
        sample, no_demo, folder / "slurm" / "out", folder / "local" / "out", cluster.jobs_since(first)
    )


def test_it_is_the_demo(both: Both):
    if both.no_demo:
        pytest.skip(both.no_demo)
    assert compare.cells(both.slurm, both.sample).n_vars == 313


def test_all_values_are_those_of_a_run_on_this_machine(both: Both):
    compare.assert_same_sample(both.local, both.slurm, both.sample, seams=True)
    cohorts = [anndata.read_h5ad(results / "cohort" / "cells.h5ad") for results in (both.local, both.slurm)]
    compare.assert_same_table(cohorts[0], cohorts[1], seams=True)
    assert "leiden" in cohorts[0].obs
    assert (both.slurm / "report.html").exists()


def test_what_is_billed_is_what_was_planned(
    both: Both, cluster: Cluster, record_property: Callable[[str, object], None]
):
    """Cores are held against the plan one by one, CPU time as a sum. Wall time, and so what is billed, grows with
    whatever else this machine does: it is recorded, and must stay within what was asked for."""
    rules = json.loads((both.slurm / "plan.json").read_text())["rules"].values()
    ids = [job for job, _, _ in both.jobs]
    words = ["sacct", "--noheader", "--parsable2", f"--jobs={','.join(ids)}"]
    fields = "--format=JobID,AllocCPUS,CPUTimeRAW,ElapsedRaw,TimelimitRaw,TotalCPU"
    told = [line.split("|") for line in cluster.call(*words, fields).splitlines()]
    jobs = [line for line in told if line[0] in ids]
    asked = Counter(rule["workers"] for rule in rules for _ in range(rule["jobs"]))
    assert Counter(int(cores) for _, cores, *_ in jobs) == asked
    assert all(int(elapsed_s) <= 60 * int(limit_min) for _, _, _, elapsed_s, limit_min, _ in jobs)

    used_s = sum(60 * (to_minutes(line[-1]) or 0.0) for line in told if line[0].endswith(".batch"))
    planned_s = 3600 * sum(rule["cpu_hours"] for rule in rules) + START_CPU_S * len(jobs)
    billed = sum(int(cpu_s) for _, _, cpu_s, *_ in jobs) / 3600
    planned = sum(rule["core_hours"] for rule in rules)
    record_property("cpu_s_used_and_planned", (round(used_s), round(planned_s)))
    record_property("core_hours_billed_and_planned", (round(billed, 4), round(planned, 4)))
    sys.stdout.write(f"CPU s: {used_s:.0f}, planned {planned_s:.0f}; ")
    sys.stdout.write(f"core-hours: billed {billed:.3f}, planned {planned:.3f}\n")
    assert 0.5 < used_s / planned_s < 2


def test_there_are_few_jobs_and_one_submission_each(both: Both):
    plan = json.loads((both.slurm / "plan.json").read_text())
    assert plan["machine"]["name"] == "a generic Slurm"
    assert len(both.jobs) == sum(rule["jobs"] for rule in plan["rules"].values())
    assert len(both.jobs) <= 2 * plan["samples"][both.sample]["packs"] + 14
    assert {state for _, _, state in both.jobs} == {"COMPLETED"}
    (name,) = {name for _, name, _ in both.jobs}
    assert name.startswith("isthmus-out-")
