"""Exactly what must be redone is redone: jobs are counted in their histories, blocks in the journals."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import compare
import numpy as np
import pytest
from conftest import Copy, Finished
from study import REPOSITORY, SNAKEFILE, Study, command, jobs_done, journal_lines
from tissue_sample import image_of, transcripts_of, write_image, write_sample, write_transcripts

STEPS = ("segment_pack", "quantify_pack")
TABLES = {"build_table": 1, "assess_quality": 1}
MODALITIES = {"join_modalities": 1}
COHORT = {"integrate_cohort": 1, "analyse": 1, "annotate": 1, "report": 1}
BOTH_PASSES = {"segment_pack": 2, "quantify_pack": 2}
SEEN = {"build_pyramid": 1, "build_outlines": 1, "certify_seams": 1}
AFTER_QUANTIFY = {"quantify_pack": 2, **SEEN, **TABLES, **MODALITIES, **COHORT}


def foreseen(study: Study, sets: dict[str, Any] | None = None) -> dict[str, int]:
    """Jobs that Snakemake would run, without running them; nothing in the folder may change."""
    before = state(study.folder)
    ended = study.run(sets=sets, snakemake=["--dry-run"])
    assert ended.code == 0, ended.text
    assert state(study.folder) == before
    said = ended.out + ended.err
    stats = re.search(r"Job stats:\n.*\n-.*\n((?:.+\n)+)", said)
    if stats is None:
        assert "Nothing to be done" in said, said
        return {}
    counts = dict(line.split()[:2] for line in stats.group(1).splitlines())
    return {rule: int(n) for rule, n in counts.items() if rule not in ("total", "all")}


def state(folder: Path) -> dict[str, int]:
    """Modification time of every file of a study; Snakemake keeps house in a folder of its own."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".snakemake" not in path.parts
    }


def run(
    study: Study, sets: dict[str, Any] | None = None, until: Sequence[str] = ()
) -> tuple[Counter[str], dict[str, int]]:
    """Run, and say which jobs ran and how many blocks were computed."""
    blocks = {step: journal_lines(study.results, step) for step in STEPS}
    began = time.time()
    ended = study.run(sets=sets, until=until)
    assert ended.code == 0, ended.text
    jobs = jobs_done(study.results, began)
    return jobs, {step: journal_lines(study.results, step) - n for step, n in blocks.items()}


def test_a_folder_that_was_moved_is_finished(small_run: Finished, copied: Copy) -> None:
    jobs, blocks = run(copied(small_run))
    assert jobs == {}
    assert blocks == dict.fromkeys(STEPS, 0)


def test_results_that_were_moved_alone_follow_an_option(small_run: Finished, copied: Copy) -> None:
    """What Snakemake knows of them stayed behind in the old working directory."""
    study = copied(small_run)
    shutil.rmtree(study.folder / ".snakemake")
    assert foreseen(study, {"analysis.quality.min_counts": 12}) == {
        "assess_quality": 1,
        **MODALITIES,
        **COHORT,
    }


def test_a_comment_or_a_touch_of_the_code_reruns_nothing(small_run: Finished, copied: Copy, tmp_path) -> None:
    study = copied(small_run)
    code = tmp_path / "code"
    for name in ("workflow", "profiles", "config", "resources"):
        shutil.copytree(REPOSITORY / name, code / name)
    for path in code.rglob("*.py"):
        path.write_text(path.read_text() + "\n# a comment\n")
    for path in code.rglob("*.smk"):
        os.utime(path)
    workflow = code / "workflow" / SNAKEFILE.name
    words = ["snakemake", "--snakefile", workflow, "--configfile", study.config, "--cores", "2", "--dry-run"]
    words += ["--profile", code / "profiles" / "default"]
    ended = command(["env", f"PYTHONPATH={code / 'workflow'}", *map(str, words)], study.folder)
    assert "Nothing to be done" in ended.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "jobs"),
    [
        ("metadata.title=New", {"report": 1}),
        ("analysis.quality.min_counts=12", {"assess_quality": 1, **MODALITIES, **COHORT}),
        ("analysis.neighbourhood.max_distance_um=20", {"annotate": 1, "report": 1}),
        ("quantification.min_qv=10", AFTER_QUANTIFY),
        ("segmentation.basins.min_area_um2=30", {"stitch_labels": 1, **AFTER_QUANTIFY}),
        (
            "segmentation.basins.sensitivity=0.5",
            {"segment_pack": 2, "stitch_labels": 1, **AFTER_QUANTIFY},
        ),
        ("execution.workers=1", {}),
    ],
)
def test_what_an_option_reruns(small_run: Finished, option: str, jobs: dict[str, int]) -> None:
    key, _, value = option.partition("=")
    assert foreseen(small_run.study, {key: value}) == jobs


@pytest.mark.slow
def test_other_cells_are_made_of_the_same_nuclei(small_run: Finished, copied: Copy) -> None:
    """There and back: nuclei are never found again."""
    study = copied(small_run)
    for reach_um, n_blocks in ((5.0, 12), (3.0, 0)):
        jobs, blocks = run(study, {"cells.expand_um": reach_um}, until=["a/cells.h5ad"])
        jobs.pop("build_pyramid", None)  # the old levels went with the old cells
        assert jobs == {"quantify_pack": 2, **TABLES}
        assert blocks["segment_pack"] == 0
        assert n_blocks <= blocks["quantify_pack"] <= 12
        assert np.array_equal(*(compare.labels(of.results, "nuclei") for of in (small_run, study)))
    compare.assert_same_sample(small_run.results, study.results, seams=True)


@pytest.mark.slow
def test_changed_inputs_rerun_what_reads_them(small_run: Finished, copied: Copy) -> None:
    """Other transcripts leave the segmentation alone; another image does not; a new sample leaves the old one alone."""
    study = copied(small_run)
    kept = (study.folder / "a.parquet").read_bytes()
    stat = (study.folder / "a.parquet").stat()
    write_transcripts(study.folder / "a.parquet", transcripts_of().slice(0, 7000))
    assert foreseen(study) == {"import_transcripts": 1, **AFTER_QUANTIFY}
    (study.folder / "a.parquet").write_bytes(kept)
    os.utime(study.folder / "a.parquet", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert foreseen(study) == {}
    study.rows.append(write_sample(study.folder, "b"))
    study.write()
    jobs = foreseen(study)
    assert jobs.pop("segment_pack") == jobs.pop("quantify_pack") == 2
    assert set(jobs.values()) == {1}
    assert {"import_image", "import_transcripts", "build_table", "report"} <= set(jobs)


@pytest.mark.slow
def test_a_changed_image_is_segmented_anew(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    pixels = image_of().copy()
    pixels[0, :200] = 100
    write_image(study.folder / "a.ome.tif", pixels)
    jobs, blocks = run(study, until=["a/cells.h5ad"])
    assert jobs == {
        "import_image": 1,
        "survey_image": 1,
        "segment_pack": 2,
        "stitch_labels": 1,
        "quantify_pack": 2,
        **TABLES,
    }
    assert blocks == {"segment_pack": 12, "quantify_pack": 12}
    assert not compare.labels(study.results, "nuclei")[:190].any()
    assert 80 < compare.cells(study.results).n_obs < compare.cells(small_run.results).n_obs


def test_intermediates_may_be_deleted_when_the_run_is_complete(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    shutil.rmtree(study.results / "work")
    assert foreseen(study) == {}
