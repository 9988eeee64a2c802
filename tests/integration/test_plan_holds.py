"""What the plan foresees for a run of a size that its constants were not fitted to, against what that used."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import shard_memory
from bench.calibration import Study, compare_unseen, run_study, used_by_rule, write_study
from conftest import Finished

from isthmus.plan.calibrate import compare, fit, observe
from isthmus.plan.model import read_plan
from isthmus.plan.rules import IN_PACKS, OF_OMICS, OF_READS, PER_RUN, PER_SAMPLE, WITHOUT_IMAGE

STUDY = Study(
    "larger",
    (1, 5120, 4608),
    3,
    per_nucleus=20,
    seed=11,
    options={"execution": {"block_px": 1024, "keep_intermediates": True}},
)
"""Two fifths larger than any run of the calibration."""


def test_a_finished_run_tells_what_constants_are_fitted_to(small_run: Finished) -> None:
    seen = list(observe(small_run.results))
    rules = {*PER_SAMPLE, *PER_RUN} - {*WITHOUT_IMAGE, *OF_READS, *OF_OMICS}
    assert {one.rule for one in seen if one.kind == "cpu_s"} == rules
    assert all(one.value > 0 for one in seen if one.kind in ("cpu_s", "fixed_mb"))
    workers = [one for one in seen if one.kind == "fixed_mb" and "job" not in one.sizes]
    assert {one.rule for one in workers} == set(IN_PACKS)
    made = fit(seen)
    assert {rule for rule, constants in made["cpu_s"].items() if constants} == rules
    assert made["worker_mb"]["segment_pack"]
    assert len(list(compare(seen, made))) >= 2 * len(rules)  # CPU time and memory of each


@pytest.mark.parametrize("rule", shard_memory.RULES)
def test_the_memory_of_workers_grows_with_their_shards(rule: str) -> None:
    small, large = shard_memory.probe(rule, 256), shard_memory.probe(rule, 2048)
    assert 4 < large - small < 400  # MB: a shard holds 8 MB, and is held more than once


@pytest.mark.slow
def test_a_larger_run_uses_what_was_planned(small_run: Finished, tmp_path: Path) -> None:
    """Memory within 1.5 times, CPU time within 2 times. The small run has compiled the kernels, which is done once."""
    results = run_study(write_study(STUDY, tmp_path / "larger"), cores=2)
    plan, used = read_plan(results / "plan.json"), used_by_rule(results)
    told = "\n".join(compare_unseen(results))
    assert set(used) == set(plan.rules)
    for rule, (_, memory_mb) in used.items():
        assert 1 / 1.5 < plan.rules[rule].memory_mb / memory_mb < 1.5, f"{rule}\n{told}"
    planned_s = 3600 * sum(rule.cpu_hours for rule in plan.rules.values())
    assert 0.5 < planned_s / sum(cpu_s for cpu_s, _ in used.values()) < 2, told
    files = sum(1 for place in (results, results.parent / ".snakemake") for _ in place.rglob("*"))
    assert 0.8 < sum(rule.files for rule in plan.rules.values()) / files < 1.25
    megabytes = sum(file.stat().st_size for file in results.rglob("*") if file.is_file()) / 1e6
    assert 0.5 < sum(rule.storage_mb for rule in plan.rules.values()) / megabytes < 2
