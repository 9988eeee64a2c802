"""A method that needs GPUs: planned for, refused where there are none. No method does yet, so one is made to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from planned import LUMI, SLIDE, plan_of

from isthmus.config.segmentation import BasinsOptions, needs_gpu
from isthmus.errors import UserError
from isthmus.launch.preflight import _faults_of_gpus, unused_gpus
from isthmus.launch.profile import Profile
from isthmus.steps.segment_pack import devices_for

WITH_GPUS = replace(LUMI, gpus=8)
PROFILE = Profile(Path("lumi_g"), {"executor": "isthmus-slurm"})


@pytest.fixture
def basins_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BasinsOptions, "needs_gpu", True)


def run_on(machine):
    return SimpleNamespace(plan=plan_of(SLIDE, machine=machine))


def test_none_needs_them():
    assert not any(needs_gpu(method) for method in ("basins", "labels", "no method"))
    assert devices_for("basins") == ()
    assert plan_of(SLIDE, machine=WITH_GPUS).rules["segment_pack"].workers == LUMI.cores
    assert list(_faults_of_gpus(run_on(LUMI), PROFILE)) == []
    assert "'lumi_g' gives packs GPUs, and the method 'basins' uses none" in unused_gpus(
        run_on(WITH_GPUS), PROFILE
    )
    assert unused_gpus(run_on(LUMI), PROFILE) == ""
    assert unused_gpus(run_on(WITH_GPUS), Profile(Path("default"), {})) == ""


@pytest.mark.usefixtures("basins_on_gpus")
def test_one_worker_a_device_is_planned_in_pass_1():
    rules = plan_of(SLIDE, machine=WITH_GPUS).rules
    assert rules["segment_pack"].workers == 8
    assert rules["quantify_pack"].workers == LUMI.cores


@pytest.mark.usefixtures("basins_on_gpus")
def test_a_profile_or_a_job_without_any_is_refused(monkeypatch: pytest.MonkeyPatch):
    (fault,) = _faults_of_gpus(run_on(LUMI), PROFILE)
    assert "'basins' needs GPUs, and the profile 'lumi_g' gives packs none" in str(fault)
    assert list(_faults_of_gpus(run_on(WITH_GPUS), PROFILE)) == []
    assert unused_gpus(run_on(WITH_GPUS), PROFILE) == ""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(UserError, match="this job was given none"):
        devices_for("basins")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    assert [device["CUDA_VISIBLE_DEVICES"] for device in devices_for("basins")] == ["1", "3"]
