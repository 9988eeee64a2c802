"""The steps of a sample in this very process, one after the other: a run without a workflow around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from study import Study

from isthmus.launch.check import check_run
from isthmus.launch.run import Run
from isthmus.packs import runner
from isthmus.packs.pool import Outcome
from isthmus.plan.model import write_plan
from isthmus.steps import build_pyramid, import_image, import_many
from isthmus.steps.assess_quality import assess_quality
from isthmus.steps.build_outlines import build_outlines
from isthmus.steps.build_table import build_table
from isthmus.steps.certify_seams import certify_seams
from isthmus.steps.import_transcripts import import_transcripts
from isthmus.steps.job import Job
from isthmus.steps.quantify_pack import quantify_pack
from isthmus.steps.segment_pack import segment_pack
from isthmus.steps.stitch_labels import stitch_labels
from isthmus.steps.survey_image import survey_image

Step = Callable[[Job], None]


def run_here(study: Study, sets: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plan, check and make all results of every sample, with no process beside this; returns the results folder."""
    for module in (runner, import_image, import_many, build_pyramid):
        monkeypatch.setattr(module, "run_tasks", _one_by_one)
    run = Run.from_files([study.config], overrides=sets, cwd=study.folder, cores=1)
    check_run(run)
    write_plan(run.plan, run.paths.plan)
    for name, sample in run.plan.samples.items():
        steps: list[tuple[str, Step]] = [
            ("import_image", lambda job: import_image.import_image(job, workers=1))
        ]
        if sample.has_points:
            steps.append(("import_transcripts", import_transcripts))
        steps += [
            ("survey_image", survey_image),
            ("segment_pack", lambda job: segment_pack(job, workers=1)),
            ("stitch_labels", stitch_labels),
            ("quantify_pack", lambda job: quantify_pack(job, workers=1)),
            ("build_pyramid", lambda job: build_pyramid.build_pyramid(job, workers=1)),
            ("build_outlines", build_outlines),
            ("certify_seams", certify_seams),
            ("build_table", build_table),
            ("assess_quality", assess_quality),
        ]
        for rule, step in steps:
            for pack in run.plan.packs(name) if rule.endswith("_pack") else [""]:
                step(_job(rule, run, name, pack))
    return run.paths.root


def _job(rule: str, run: Run, sample: str, pack: str) -> Job:
    log = run.paths.root / "log.txt"
    return Job(rule, results=str(run.paths.root), log_file=str(log), outputs=[], sample=sample, pack=pack)


def _one_by_one(
    function: Callable[[Any], Any], tasks: Sequence[Any], **_: object
) -> Iterator[Outcome[Any, Any]]:
    for task in tasks:
        yield Outcome(task, function(task), None)
