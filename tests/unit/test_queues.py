"""What jobs of a rule may use and are billed for, where packs and light jobs go to different nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned import SLIDE, plan_of

from isthmus.launch.profile import read_profile
from isthmus.plan.machine import Machine
from isthmus.plan.queues import billed_cores, cores_of, is_with_packs, longest_minutes, memory_of
from isthmus.plan.rules import GPU, LIGHT, POOLED
from isthmus.sites.load import load_site, site_names
from isthmus.sites.profile import queue_of

PROFILES = Path(__file__).parents[2] / "profiles"
RULES = (*POOLED, *LIGHT)
ON_SLURM = [name for name in site_names() if load_site(name).scheduler == "slurm"]


@pytest.mark.parametrize("name", ON_SLURM)
def test_plan_and_profile_send_a_rule_to_the_same_queue(name):
    site = load_site(name)
    machine = site.machine()
    for rule in RULES:
        queue = site.packs if is_with_packs(machine, rule) else site.light
        assert queue_of(site, rule) is queue
        if queue.cores.value is not None:
            assert cores_of(machine, rule) == queue.cores.value
        if queue.memory_mb.value is not None:
            assert memory_of(machine, rule) == queue.memory_mb.value
        if queue.max_minutes.value is not None:
            assert longest_minutes(machine, rule) == queue.max_minutes.value


@pytest.mark.parametrize("name", ON_SLURM)
def test_what_is_planned_for_a_rule_fits_its_queue(name):
    machine = load_site(name).machine()
    for rule, needs in plan_of(SLIDE, machine=machine).rules.items():
        memory = memory_of(machine, rule)
        assert 1 <= needs.workers <= cores_of(machine, rule)
        assert memory is None or needs.memory_mb <= memory


def test_gpu_nodes_are_billed_for_pass_1_alone():
    machine = load_site("lumi_g").machine()
    assert billed_cores(machine, GPU[0], 8) == 64
    assert [billed_cores(machine, rule, 5) for rule in ("import_image", "quantify_pack")] == [5, 5]
    assert memory_of(machine, "quantify_pack") == 229_376
    assert longest_minutes(machine, "build_pyramid") == 4320


def test_cores_that_bring_memory_or_a_gpu_are_billed():
    gpp, acc = (load_site(name).machine() for name in ("mn5_gpp", "mn5_acc"))
    assert [billed_cores(gpp, "build_table", 1), billed_cores(gpp, "segment_pack", 3)] == [16, 16]
    assert billed_cores(gpp, "segment_pack", 100) == 100
    assert [billed_cores(acc, "segment_pack", 1), billed_cores(acc, "quantify_pack", 1)] == [20, 16]
    plan = plan_of(SLIDE, machine=gpp)
    table = plan.rules["build_table"]
    assert table.core_hours > 15 * table.cpu_hours


def test_a_machine_of_one_queue_bills_what_is_used():
    machine = Machine(cores=8, memory_mb=1000, max_minutes=60)
    for rule in RULES:
        found = (cores_of(machine, rule), memory_of(machine, rule), longest_minutes(machine, rule))
        assert found == (8, 1000, 60)
        assert billed_cores(machine, rule, 3) == 3


def test_where_memory_comes_with_cores_further_attempts_ask_for_more_of_them():
    """Packs do not: they have fewer workers then."""
    options = read_profile(PROFILES / "mn5_gpp").options
    asked = options["default-resources"]["cpus_per_task"]
    assert [eval(asked, {"threads": 1, "attempt": attempt}) for attempt in (1, 2, 9)] == [16, 32, 112]
    assert options["set-resources"]["segment_pack"]["cpus_per_task"] == "max(threads, 16)"
    assert "cpus_per_task" not in read_profile(PROFILES / "slurm").options["default-resources"]
