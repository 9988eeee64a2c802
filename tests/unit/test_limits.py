"""Plans for machines with limits: what is broken is said with what to change; what fits is planned to fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planned import LUMI, PLATE, SLIDE, plan_of

from isthmus.plan.limits import check_limits, memory_to_ask, minutes_to_ask, unknown_limits
from isthmus.plan.machine import Machine
from isthmus.plan.prediction import Prediction
from isthmus.plan.queues import longest_minutes
from isthmus.plan.rules import POOLED


def broken(plan):
    return {limit.limit: limit for limit in check_limits(plan)}


def test_a_slide_of_ten_thousand_million_pixels_fits_lumi():
    plan = plan_of(SLIDE, machine=LUMI)
    assert check_limits(plan) == []
    assert sum(rule.jobs for rule in plan.rules.values()) < 100
    assert sum(rule.files for rule in plan.rules.values()) < 10_000
    for rule, needs in plan.rules.items():
        if rule in POOLED:
            assert 1 < needs.workers <= 128
            assert needs.memory_mb <= LUMI.memory_mb


def test_a_plate_fits_lumi_too():
    """Its blocks are pairs of field and block; a field is one block."""
    plan = plan_of(PLATE, machine=LUMI, preset="culture")
    assert plan.samples["a"].n_blocks == 384 * 9
    assert sum(rule.jobs for rule in plan.rules.values()) < 100
    assert check_limits(plan) == []
    packs = [plan.samples["a"].blocks_of(pack) for pack in plan.packs("a")]
    assert [pair for pack in packs for pair in pack] == list(range(384 * 9))


def test_whole_nodes_are_billed_whole():
    shared = plan_of(SLIDE, machine=replace(LUMI, billed_cores=None))
    whole = plan_of(SLIDE, machine=LUMI)
    assert whole.rules["segment_pack"].core_hours >= shared.rules["segment_pack"].core_hours
    assert whole.rules["segment_pack"].cpu_hours == shared.rules["segment_pack"].cpu_hours
    assert whole.rules["stitch_labels"].core_hours == shared.rules["stitch_labels"].core_hours


def test_workers_are_as_many_as_fit_the_memory():
    roomy = plan_of(SLIDE, machine=Machine(cores=16)).rules["segment_pack"]
    tight = plan_of(SLIDE, machine=Machine(cores=16, memory_mb=3_000)).rules["segment_pack"]
    assert roomy.workers == 16
    assert 1 <= tight.workers < 16
    assert tight.memory_mb <= 3_000


def test_memory_that_not_even_one_worker_fits_is_told():
    found = broken(plan_of(SLIDE, machine=Machine(name="a phone", cores=8, memory_mb=300)))["memory"]
    assert "has 300 MB" in found.found
    assert "a phone" in str(found)


def test_a_job_longer_than_allowed_is_cut_into_more_packs():
    machine = Machine(name="debug", cores=1, max_minutes=11)
    settings = {"packs": 1}
    found = broken(plan_of(SLIDE, machine=machine, execution=settings))["walltime"]
    assert "debug allows 11" in found.found
    said = [limit.do for limit in check_limits(plan_of(SLIDE, machine=machine, execution=settings))]
    packs = max(int(do.split()[-1]) for do in said if do.startswith("set execution.packs to"))
    again = check_limits(plan_of(SLIDE, machine=machine, execution={"packs": packs}))
    assert not [limit for limit in again if limit.do.startswith("set execution.packs")]


def test_more_packs_than_may_be_submitted_are_refused():
    found = broken(plan_of(SLIDE, machine=LUMI, execution={"packs": 600}))["submit limit"]
    assert "600 packs" in found.found
    assert found.do == "set execution.packs to 100 at most"


def test_packs_of_the_plan_stay_below_what_may_run():
    machine = Machine(cores=1, max_jobs_running=3, max_jobs_submitted=5)
    assert plan_of(SLIDE, machine=machine).samples["a"].packs <= 3


@pytest.mark.parametrize(
    ("limit", "name", "word"),
    [({"max_files": 1000}, "files", "allows 1,000"), ({"max_storage_gb": 1.0}, "storage", "allows 1 GB")],
)
def test_quotas_that_are_passed_are_told(limit, name, word):
    plan = plan_of(SLIDE, machine=replace(LUMI, **limit))
    assert set(broken(plan)) == {name}
    assert word in broken(plan)[name].found


def test_what_nobody_has_said_is_unknown_and_not_broken():
    machine = Machine(name="new", unknown=("max_files", "max_minutes"))
    assert unknown_limits(machine) == ["walltime of a job", "files"]
    assert unknown_limits(Machine()) == []
    assert check_limits(plan_of(SLIDE, machine=machine)) == []


def test_what_is_asked_for_has_room_but_not_more_than_there_is():
    needs = plan_of(SLIDE).rules["build_table"]
    assert memory_to_ask(needs, Machine(), "build_table") > needs.memory_mb
    tight = Machine(memory_mb=needs.memory_mb + 1)
    assert memory_to_ask(needs, tight, "build_table") == needs.memory_mb + 1
    assert minutes_to_ask(needs) >= max(10, needs.minutes)


def test_light_jobs_have_limits_of_their_own():
    machine = replace(LUMI, light_memory_mb=200, light_max_minutes=1)
    found = check_limits(plan_of(SLIDE, machine=machine))
    assert {limit.limit for limit in found} == {"memory", "walltime"}
    assert not any(rule in limit.found for limit in found for rule in POOLED)


def test_further_attempts_ask_for_more_but_never_for_more_than_there_is():
    needs = Prediction(jobs=1, workers=1, memory_mb=1000, minutes=10, core_hours=1.0, files=1)
    asked = [memory_to_ask(needs, Machine(memory_mb=4000), "build_table", attempt) for attempt in (1, 2, 3)]
    assert asked[0] >= 1000 + 140
    assert asked[1] == 2 * asked[0]
    assert asked[2] == 4000


def test_a_job_has_room_for_the_snakemake_that_runs_it():
    needs = Prediction(jobs=1, workers=1, memory_mb=50, minutes=1, core_hours=0.0, files=1)
    assert memory_to_ask(needs, Machine(), "survey_image") == 600


def test_light_jobs_have_a_longest_time_of_their_own():
    machine = Machine(max_minutes=100, light_max_minutes=30)
    assert longest_minutes(machine, "segment_pack") == 100
    assert longest_minutes(machine, "build_table") == 30
    assert longest_minutes(Machine(), "build_table") is None


def test_a_cohort_too_large_for_a_node_is_told_to_be_smaller():
    plan = plan_of(SLIDE, machine=LUMI, n=40)
    assert {limit.do for limit in check_limits(plan)} == {"run fewer samples at a time"}
    assert "analyse needs" in str(check_limits(plan))
