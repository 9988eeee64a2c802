"""The certificate as a job makes it from the plan: what it computes with, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isthmus.blocks.grid import Grid
from isthmus.config.models import Settings
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.plan.cost import Machine
from isthmus.plan.make import SampleInput, make_plan
from isthmus.plan.model import write_plan
from isthmus.segment.block import ImportJob
from isthmus.steps import certify_seams as step
from isthmus.steps.job import Job

GRID = Grid((1, 600, 600), (1, 256, 256))


def job_of(folder: Path, **segmentation: Any) -> Job:
    """The job of an image of 600 x 600 pixels of 0.5 um in blocks of 256."""
    header = ImageHeader((1, *GRID.shape), "uint16", ("DAPI",), Affine.from_size(0.5))
    inputs = {"image": "i", "labels": "l"}
    sample = SampleInput(sheet={"sample": "a"}, where="row 2", header=header, inputs=inputs, reader="generic")
    settings = Settings.model_validate(
        {"samples": "s.tsv", "segmentation": segmentation, "execution": {"block_px": 256}}
    )
    plan = make_plan(settings.model_dump(mode="json"), {"a": sample}, reference=None, machine=Machine())
    write_plan(plan, folder / "plan.json")
    return Job(
        "certify_seams", results=str(folder), log_file=str(folder / "logs" / "x.log"), outputs=[], sample="a"
    )


@pytest.mark.parametrize("method", ["basins", "labels"])
def test_imported_labels_know_no_smallest_nucleus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    imported = ImportJob.__new__(ImportJob)
    monkeypatch.setattr(step, "segment_job", lambda job: imported if method == "labels" else None)
    monkeypatch.setattr(step, "quantify_job", lambda job: None)
    job = job_of(tmp_path, method=method, basins={"min_area_um2": 10})
    assert step.uncut_job(job).min_area_px == {"basins": 40, "labels": 1}[method]
