"""What a site is known not to allow is seen before anything is submitted, for every site."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planned import SLIDE, plan_of

from isthmus.plan.limits import check_limits
from isthmus.sites.load import load_site, site_names

ON_SLURM = [name for name in site_names() if load_site(name).scheduler == "slurm"]


def broken(name: str, **execution: object) -> set[str]:
    plan = plan_of(SLIDE, machine=load_site(name).machine(), execution=execution)
    return {limit.limit for limit in check_limits(plan)}


@pytest.mark.parametrize("name", ON_SLURM)
def test_more_packs_than_may_be_submitted(name):
    known = load_site(name).packs.max_jobs_submitted.value is not None
    assert ("submit limit" in broken(name, packs=1000, block_px=1024)) == known


@pytest.mark.parametrize("name", ON_SLURM)
def test_a_block_that_needs_more_memory_than_a_job_may_have(name):
    machine = load_site(name).machine()
    known = machine.memory_mb is not None
    plan = plan_of(SLIDE, machine=replace(machine, memory_mb=600 if known else None))
    assert ("memory" in {limit.limit for limit in check_limits(plan)}) >= known


@pytest.mark.parametrize("name", ON_SLURM)
def test_what_the_plan_chooses_itself_fits_as_far_as_is_known(name):
    assert broken(name) <= {"files", "storage"}
