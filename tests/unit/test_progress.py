"""How far a run is: what is planned and done, also by a plan of an earlier version."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from isthmus.cli.commands import status
from isthmus.config.models import Settings
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.launch.jobs import planned_jobs
from isthmus.launch.progress import ProgressReader
from isthmus.plan.machine import Machine
from isthmus.plan.make import SampleInput, make_plan
from isthmus.plan.model import RunPlan, write_plan
from isthmus.plan.paths import RunPaths
from isthmus.plan.rules import OF_OMICS, OF_READS, PER_RUN, PER_SAMPLE, WITHOUT_IMAGE

ALWAYS = [rule for rule in (*PER_SAMPLE, *PER_RUN) if rule not in (*OF_OMICS, *OF_READS, *WITHOUT_IMAGE)]


def plan_without(rule: str) -> RunPlan:
    """A plan of a version that did not know a rule; '' for the present one."""
    header = ImageHeader((1, 1, 300, 300), "uint16", ("DAPI",), Affine.from_size(0.5))
    inputs = {"image": "i", "transcripts": "t"}
    sample = SampleInput(sheet={"sample": "a"}, where="row 2", header=header, inputs=inputs, reader="generic")
    settings = Settings(samples=Path("s.tsv")).model_dump(mode="json")
    plan = make_plan(settings, {"a": sample}, reference=None, machine=Machine()).model_dump(mode="json")
    for part in (plan["rules"], plan["cohort"], plan["samples"]["a"]["digests"]):
        part.pop(rule, None)
    return RunPlan.model_validate_json(json.dumps(plan))


@pytest.mark.parametrize("rule", ["", "build_outlines", "import_transcripts", "segment_pack", "annotate"])
def test_the_jobs_are_those_of_the_rules_that_the_plan_has(rule: str) -> None:
    jobs = [job for job, _, _ in planned_jobs(plan_without(rule))]
    assert jobs == [name for name in ALWAYS if name != rule]


@pytest.mark.parametrize("rule", ["build_outlines", "report"])
def test_an_older_plan_has_a_status(tmp_path: Path, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    plan, paths = plan_without(rule), RunPaths(tmp_path)
    write_plan(plan, paths.plan)
    paths.jobs.mkdir(parents=True)
    note = {"status": "done", "digest": plan.digest("import_image", "a"), "time": 1.0}
    (paths.jobs / "import_image.a.jsonl").write_text(json.dumps(note) + "\n")
    assert ProgressReader(plan, paths, 0.0).read().n_done == 1
    assert status(argparse.Namespace(run=tmp_path, set=[])) == 0
    told = capsys.readouterr().out
    assert f"1 of {len(ALWAYS) - 1} jobs done" in told
    assert rule not in told
