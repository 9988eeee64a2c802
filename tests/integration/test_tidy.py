"""Intermediates of segmentation go when a run is complete, and come back when something needs them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import compare
import pytest
from conftest import Copy, Finished
from study import ISTHMUS, Study, command, jobs_done
from test_both_ways import snakemake
from test_redo import foreseen
from test_repair import flip, labels_shard

from isthmus.launch.tidy import tidy
from isthmus.plan.model import read_plan
from isthmus.plan.paths import RunPaths

TIDY = {"execution.keep_intermediates": False}


def run(study: Study, sets: Mapping[str, Any]) -> Counter[str]:
    """Run; returns the jobs that ran."""
    began = time.time()
    ended = study.run(sets=sets)
    assert ended.code == 0, ended.text
    return jobs_done(study.results, began)


def left(study: Study) -> set[str]:
    """Which intermediates of segmentation are there."""
    names = ("local_labels.zarr", "segment_pack")
    return {name for name in names if (study.results / "work" / "a" / name).exists()}


def test_they_go_once_and_nothing_is_made_again(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    assert left(study) == {"local_labels.zarr", "segment_pack"}
    for _ in range(2):
        assert run(study, TIDY) == {}
        assert left(study) == set()
    assert foreseen(study, TIDY) == {}
    compare.assert_same_sample(small_run.results, study.results, seams=True)
    said = command([*ISTHMUS, "status", str(study.results)], study.folder)
    assert said.code == 0
    assert "damaged" not in said.out + said.err


@pytest.mark.slow
def test_a_damaged_final_shard_brings_them_back_and_they_go_again(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    run(study, TIDY)
    flip(labels_shard(study.results, "cells"))
    labels_shard(study.results, "nuclei").unlink()
    jobs = run(study, TIDY)
    assert jobs["segment_pack"] == 2
    # Stitching follows pass 1; what comes after the repaired shards does not run.
    assert set(jobs) == {"segment_pack", "stitch_labels", "quantify_pack"}
    assert left(study) == set()
    compare.assert_same_sample(small_run.results, study.results, seams=True)
    assert run(study, TIDY) == {}


@pytest.mark.slow
def test_an_option_of_cells_brings_them_back(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    run(study, TIDY)
    jobs = foreseen(study, {**TIDY, "cells.expand_um": 5.0})
    assert {"segment_pack": 2, "stitch_labels": 1, "quantify_pack": 2}.items() <= jobs.items()
    assert (
        foreseen(study, {**TIDY, "analysis.quality.min_counts": 12})
        .keys()
        .isdisjoint({"segment_pack", "stitch_labels", "quantify_pack"})
    )


def test_they_stay_while_something_is_not_done(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    plan, paths = read_plan(study.results / "plan.json"), RunPaths(study.results)
    (paths.jobs / "report.jsonl").unlink()
    paths.published.unlink()  # which says, too, that the report was made
    assert tidy(plan, paths) == 0
    assert len(left(study)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("gone", [["1-of-2"], ["1-of-2", "2-of-2"]])
def test_killed_while_they_were_removed(small_run: Finished, copied: Copy, gone: list[str]) -> None:
    """As if the records of the workflow were gone and the rest not yet: the next run finds its way."""
    study = copied(small_run)
    for name in gone:
        (study.results / "work" / "a" / "segment_pack" / f"{name}.json").unlink()
    jobs = run(study, TIDY)
    assert set(jobs) == {"segment_pack"}
    assert left(study) == set()
    compare.assert_same_sample(small_run.results, study.results, seams=True)
    assert run(study, TIDY) == {}


@pytest.mark.slow
def test_snakemake_removes_them_too_when_the_whole_was_asked_for(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    text = study.config.read_text()
    assert "keep_intermediates: true" in text
    study.config.write_text(text.replace("keep_intermediates: true", "keep_intermediates: false"))
    report = study.results / "report.html"
    for targets, stay in ([str(report.relative_to(study.folder))], 2), ([], 0):
        report.unlink()
        ended = command(snakemake(study, *targets), study.folder)
        assert ended.code == 0, ended.text
        assert report.exists()
        assert len(left(study)) == stay
    assert run(study, TIDY) == {}
    compare.assert_same_sample(small_run.results, study.results, seams=True)
