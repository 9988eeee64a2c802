"""The certificate as a job makes it from the plan: what it computes with, and what it says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.blocks.grid import Grid, Region
from isthmus.certify.compare import SkippedWindow, WindowResult
from isthmus.config.models import Settings
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.plan.machine import Machine
from isthmus.plan.make import SampleInput, make_plan
from isthmus.plan.model import RunPlan, write_plan
from isthmus.segment.block import ImportJob
from isthmus.steps import certify_seams as step
from isthmus.steps.job import Job, read_json

GRID = Grid((1, 600, 600), (1, 256, 256))
Found = tuple[list[WindowResult], list[SkippedWindow]]


def plan_of(shape: tuple[int, int, int, int], segmentation: dict[str, Any], block_px: int = 256) -> RunPlan:
    """The plan for an image (c, z, y, x) with pixels of 0.5 um."""
    header = ImageHeader(shape, "uint16", ("DAPI",), Affine.from_size(0.5))
    inputs = {"image": "i", "labels": "l"}
    sample = SampleInput(sheet={"sample": "a"}, where="row 2", header=header, inputs=inputs, reader="generic")
    settings = Settings.model_validate(
        {"samples": "s.tsv", "segmentation": segmentation, "execution": {"block_px": block_px}}
    )
    return make_plan(settings.model_dump(mode="json"), {"a": sample}, reference=None, machine=Machine())


def job_of(folder: Path, block_px: int = 256, **segmentation: Any) -> Job:
    """The job of an image of 600 x 600 pixels."""
    write_plan(plan_of((1, *GRID.shape), segmentation, block_px), folder / "plan.json")
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


def certificate_of(job: Job, monkeypatch: pytest.MonkeyPatch, found: Found) -> dict[str, Any]:
    """seams.json of a job that found this."""
    work = SimpleNamespace(quantify=SimpleNamespace(cells=None, grid=GRID), segment=None)
    monkeypatch.setattr(step, "uncut_job", lambda job, image: work)
    monkeypatch.setattr(step, "BlockRecords", lambda job: [])
    monkeypatch.setattr(step, "choose_windows", lambda grid, **options: [])
    monkeypatch.setattr(step, "compare_windows", lambda work, windows: found)
    step.certify_seams(job)
    return read_json(job.sample_paths.seams)


def test_what_was_not_compared_is_not_said_to_be_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Region((0, 10, 20), (1, 30, 40))
    skipped = SkippedWindow(box, "read_too_large")
    told = certificate_of(job_of(tmp_path), monkeypatch, ([], [skipped]))
    assert told["verdict"] == "not_compared"
    assert "nothing is known" in told["statement"]
    assert told["skipped"] == [{"box_px": [10, 20, 30, 40], "reason": "read_too_large"}]
    told = certificate_of(job_of(tmp_path), monkeypatch, ([], []))
    assert told["verdict"] == "not_compared"
    compared = WindowResult(box, 3, 0, 0, 0)
    told = certificate_of(job_of(tmp_path), monkeypatch, ([compared], [skipped]))
    assert told["verdict"] == "same"
    assert "computed in one piece" in told["statement"]


def test_one_block_has_no_seams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = certificate_of(job_of(tmp_path, block_px=1024), monkeypatch, ([], []))
    assert told["verdict"] == "no_seams"


def test_a_block_without_a_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="9 of 9 blocks are not done"):
        step.certify_seams(job_of(tmp_path))


@pytest.mark.parametrize(("n_z", "least_mb", "most_mb"), [(1, 1000, 1600), (120, 4000, 5000)])
def test_memory_follows_the_largest_read(n_z: int, least_mb: int, most_mb: int) -> None:
    plan = plan_of((1, n_z, 20_000, 20_000), {})
    assert least_mb < plan.rules["certify_seams"].most_mb < most_mb
    small = plan_of((1, n_z, 300, 300), {})
    assert small.rules["certify_seams"].memory_mb < 1300
