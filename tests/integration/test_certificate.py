"""The certificate of a finished run: made again it is the same, and labels that are wrong do not get one."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from conftest import Copy, Finished
from study import Study

from isthmus.certify.compare import CertificateError
from isthmus.steps.certify_seams import certify_seams
from isthmus.steps.job import Job


def job_of(study: Study) -> Job:
    """The job, as its script makes it; it is not entered, so that errors come out as they are."""
    seams = study.results / "a" / "seams.json"
    log = study.results / "logs" / "again.log"
    return Job(
        "certify_seams", results=str(study.results), log_file=str(log), outputs=[str(seams)], sample="a"
    )


def test_the_same_results_give_the_same_certificate(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    seams = study.results / "a" / "seams.json"
    before = seams.read_bytes()
    seams.unlink()
    certify_seams(job_of(study))
    assert seams.read_bytes() == before


@pytest.mark.parametrize("name", ["nuclei", "cells"])
def test_wrong_labels_fail_and_leave_evidence(small_run: Finished, copied: Copy, name: str) -> None:
    study = copied(small_run)
    record = json.loads((study.results / "a" / "seams.json").read_text())
    y0, x0, y1, x1 = record["windows"][-1]["box_px"]
    labels = zarr.open_array(study.results / "a" / "image.ome.zarr" / "labels" / name / "0", mode="r+")
    pixels = labels[:]
    inside = pixels[y0:y1, x0:x1]
    one, other = np.unique(inside[inside > 0])[:2]
    labels[:] = np.where(pixels == one, other, np.where(pixels == other, one, pixels))
    with pytest.raises(
        CertificateError, match=r"a: [0-9,]+ pixels at seams .*\[\d+, \d+, \d+, \d+\] \(yx"
    ) as told:
        certify_seams(job_of(study))
    assert "\n" not in str(told.value)
    evidence = json.loads((study.results / "work" / "a" / "seams.failed.json").read_text())
    assert evidence["windows"][-1]["box_px"] == [y0, x0, y1, x1]
    assert evidence["windows"][-1]["differing_pixels"] == np.isin(inside, [one, other]).sum()
    assert evidence["differing_pixels"] == sum(window["differing_pixels"] for window in evidence["windows"])
    labels[:] = pixels
    certify_seams(job_of(study))
    assert not (study.results / "work" / "a" / "seams.failed.json").exists()
