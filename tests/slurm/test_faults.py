"""Runs on a real Slurm that things are done to end by themselves, with the values of one that was left alone.

All but one are under way at the same time. Each is held against the same undisturbed run on this machine, no block is
computed twice, and nothing is without a sign for longer than 90 s.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import compare
import pytest
from study import end_started

from slurm import faults
from slurm.cluster import Cluster
from slurm.disturbed import Disturbed, Undergone
from slurm.layout import GENERIC
from slurm.on_slurm import STEPS, Bases, OnSlurm, copy_of
from slurm.together import Together

HANG_S = 90.0
N_BLOCKS = 12
AT_ONCE = 5


@dataclass(frozen=True)
class Case:
    """A fault, the pass in which it happens, resources of the run, and whether it is one of Snakemake itself."""

    fault: faults.Fault
    step: str
    resources: Mapping[str, object] = field(default_factory=dict)
    plain: bool = False


CASES = {
    "time_limit": Case(faults.time_limit, "quantify_pack"),
    "node": Case(faults.node, "quantify_pack", {"slurm_partition": "lost"}),
    "head": Case(faults.head, "segment_pack"),
    "scancel": Case(faults.scancel, "quantify_pack"),
    "memory": Case(faults.memory_of_the_pack, "quantify_pack"),
    "requeue": Case(faults.preemption, "quantify_pack", {"slurm_partition": "requeued", "qos": "low"}),
    "preempt": Case(faults.preemption, "quantify_pack", {"slurm_partition": "preempted", "qos": "lowest"}),
    "warning": Case(faults.warning, "quantify_pack"),
    "plain": Case(faults.plain_head, "quantify_pack", plain=True),
    "overcome": Case(faults.memory_of_another_process, "quantify_pack"),
}
ALONE = {"controller": Case(faults.controller, "segment_pack")}
NEED_GROUPS = ("memory", "overcome")


def undergo(cluster: Cluster, bases: Bases, folder: Path, case: Case) -> Undergone:
    """Let a run undergo a fault."""
    asked = {"slurm_partition": "faults", **case.resources}
    on_slurm = OnSlurm(copy_of(bases.before[case.step], folder / "study"), asked)
    disturbed = Disturbed(cluster, on_slurm, case.step, plain=case.plain)
    case.fault(disturbed)
    return disturbed.end()


@pytest.fixture(scope="session")
def undergone(
    request: pytest.FixtureRequest, cluster: Cluster, bases: Bases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Undergone]]:
    """The runs that the collected tests ask for by the mark `undergoes`."""
    skipped = set() if faults.can_take_memory() else set(NEED_GROUPS)
    marks = [item.get_closest_marker("undergoes") for item in request.session.items]
    wanted = {mark.args[0] for mark in marks if mark} - skipped
    cluster.load(GENERIC)
    cluster.wait_for_nodes()

    def run_those(cases: Mapping[str, Case]) -> Together[Undergone]:
        tasks = {
            name: partial(undergo, cluster, bases, tmp_path_factory.mktemp(name), case)
            for name, case in cases.items()
            if name in wanted
        }
        return Together(tasks, at_once=AT_ONCE)

    ended = run_those(CASES), run_those(ALONE)

    def of(name: str) -> Undergone:
        if name in skipped:
            pytest.skip("memory is not confined by control groups of version 1 here")
        return next(some for some in ended if name in some)[name]

    yield of
    end_started()


@pytest.fixture
def run(
    request: pytest.FixtureRequest,
    undergone: Callable[[str], Undergone],
    bases: Bases,
    record_property: Callable[[str, object], None],
) -> Undergone:
    """The run that has undergone what the test is marked with. This much is so for each of them."""
    name = request.node.get_closest_marker("undergoes").args[0]
    made = undergone(name)
    sys.stdout.write(
        f"{name}: first sign after {made.told_s:.1f} s, never silent for {made.silent_s:.1f} s\n"
    )
    record_property("first_sign_s", round(made.told_s, 1))
    record_property("longest_silence_s", round(made.silent_s, 1))
    assert made.code == 0, made.said
    compare.assert_same_sample(bases.whole.results, made.on_slurm.results, seams=True)
    for step in STEPS:
        assert made.on_slurm.blocks_computed(step) == N_BLOCKS, "a block that was done was done again"
    assert made.told_s < HANG_S
    assert made.silent_s < HANG_S
    return made


@pytest.mark.undergoes("head")
def test_a_killed_head_is_followed_by_one_that_takes_its_jobs_over(run: Undergone):
    for name, job in run.frozen.items():
        assert set(run.on_slurm.slurm_jobs(name)) == {job}, "two writers"
        assert [note["status"] for note in run.on_slurm.notes(name)].count("done") == 1
    assert "taken over" in run.said


@pytest.mark.undergoes("plain")
def test_a_killed_snakemake_is_followed_by_one_that_takes_its_jobs_over(run: Undergone):
    for name, job in run.frozen.items():
        assert set(run.on_slurm.slurm_jobs(name)) == {job}, "two writers"
    assert "taken over" in run.said


@pytest.mark.undergoes("scancel")
def test_a_cancelled_pack_goes_on_where_it_was(run: Undergone):
    assert f"pack {run.name.split('.')[-1][0]} of sample a was cancelled by root; attempt 2 with" in run.said
    assert "with 2 workers follows" in run.said
    assert "with 2 workers is running" in run.said


@pytest.mark.undergoes("warning")
def test_a_warned_pack_stops_in_good_order(run: Undergone):
    assert [note["status"] for note in run.on_slurm.notes(run.name)].count("stopped") == 1
    assert len(run.on_slurm.slurm_jobs(run.name)) == 2
    assert "was told by Slurm to stop and kept its finished blocks" in run.said


@pytest.mark.undergoes("time_limit")
def test_a_time_limit_is_told_and_the_pack_goes_on(run: Undergone):
    assert "reached its time limit of 1 min" in run.said


@pytest.mark.undergoes("memory")
def test_a_pack_without_memory_goes_on_with_half_the_workers(run: Undergone):
    assert f"pack {run.name.split('.')[-1][0]} of sample a ran out of memory (asked " in run.said
    assert "; attempt 2 with 1 worker follows" in run.said
    assert "; attempt 2 with 1 worker is running" in run.said


@pytest.mark.undergoes("overcome")
def test_memory_that_a_pack_has_overcome_costs_no_attempt(run: Undergone, generic: Cluster):
    assert run.on_slurm.slurm_jobs(run.name) == [run.job]
    assert generic.ended(run.job, "State") == ("OUT_OF_MEMORY",)


@pytest.mark.undergoes("requeue")
def test_a_pack_that_must_make_room_is_put_back_into_the_queue(run: Undergone):
    assert f"has put job {run.job} back into the queue" in run.said
    assert run.on_slurm.slurm_jobs(run.name) == [run.job]


@pytest.mark.undergoes("preempt")
def test_a_pack_that_must_make_room_and_is_ended(run: Undergone):
    assert "had to make room for a job of higher priority; attempt 2" in run.said
    assert len(run.on_slurm.slurm_jobs(run.name)) == 2


@pytest.mark.undergoes("node")
def test_a_node_that_is_lost(run: Undergone):
    assert "back into the queue (it lost its node, or had to make room)" in run.said


@pytest.mark.undergoes("controller")
def test_a_controller_that_is_away_for_half_a_minute(run: Undergone):
    assert set(run.on_slurm.slurm_jobs(run.name)) == {run.job}, "a job was submitted twice"
