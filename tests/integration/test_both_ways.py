"""`isthmus run` and plain snakemake give the same, from any directory; looking writes nothing."""

from __future__ import annotations

from collections.abc import Callable

import compare
import pytest
from conftest import Copy, Finished
from study import ISTHMUS, REPOSITORY, SNAKEFILE, Study, command, jobs_done


def snakemake(study: Study, *more: object) -> list[str]:
    words = ["snakemake", "--snakefile", SNAKEFILE, "--configfile", study.config, "--cores", "2"]
    return [str(word) for word in (*words, "--profile", REPOSITORY / "profiles" / "default", *more)]


def test_a_dry_run_shows_all_and_writes_nothing(fresh: Callable[..., Study]) -> None:
    study = fresh("a")
    ended = command(snakemake(study, "--dry-run"), study.folder)
    assert ended.code == 0, ended.text
    for rule in ("import_image", "segment_pack", "quantify_pack", "build_table", "annotate", "report"):
        assert rule in ended.text
    assert not study.results.exists()
    ended = study.run(snakemake=["--dry-run"])
    assert ended.code == 0, ended.text
    assert not study.results.exists()


def test_check_writes_nothing_and_plan_the_plan(fresh: Callable[..., Study]) -> None:
    study = fresh("a")
    before = sorted(study.folder.rglob("*"))
    for name in ("check", "plan"):
        ended = command([*ISTHMUS, name, str(study.config), "--set", "execution.packs=3"], study.folder)
        assert ended.code == 0, ended.text
        assert ended.faults == []
        written = set(study.folder.rglob("*")) - set(before)
        assert written == ({study.results, study.results / "plan.json"} if name == "plan" else set())
    assert "12 blocks" in ended.out
    assert "in 3 packs" in ended.out
    assert set(before) <= set(study.folder.rglob("*"))


def test_status_of_a_finished_run(small_run: Finished) -> None:
    ended = command([*ISTHMUS, "status", str(small_run.results)], small_run.study.folder)
    assert ended.code == 0, ended.text
    assert "18 of 18 jobs done (100%)" in ended.out


def test_bad_input_is_one_line_for_snakemake_too(fresh: Callable[..., Study]) -> None:
    study = fresh("a")
    (study.folder / "a.parquet").unlink()
    ended = command(snakemake(study), study.folder)
    assert ended.code == 1
    assert "a.parquet" in ended.err
    assert "Traceback (most recent call last)" not in ended.err
    assert not study.results.exists()


@pytest.mark.slow
def test_plain_snakemake_gives_the_same_from_another_directory(
    small_run: Finished, fresh: Callable[..., Study], tmp_path
) -> None:
    study = fresh("a")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ended = command(snakemake(study, "--config", f"results={study.results}"), elsewhere)
    assert ended.code == 0, ended.text
    compare.assert_same_sample(small_run.results, study.results, seams=True)
    ours, theirs = (
        compare.anndata.read_h5ad(results / "cohort" / "cells.h5ad")
        for results in (small_run.results, study.results)
    )
    compare.assert_same_table(ours, theirs, seams=True)
    assert (study.results / "report.html").exists()
    assert jobs_done(study.results, 0.0) == jobs_done(small_run.results, 0.0)


@pytest.mark.slow
def test_isthmus_goes_on_with_what_snakemake_made(small_run: Finished, copied: Copy) -> None:
    """Finished by isthmus: nothing to do for snakemake, from this directory and from another."""
    study = copied(small_run)
    ended = command(snakemake(study, "--dry-run"), study.folder)
    assert "Nothing to be done" in ended.text
    (study.folder / "below").mkdir()
    ended = command(
        snakemake(study, "--dry-run", "--config", f"results={study.results}"), study.folder / "below"
    )
    assert "Nothing to be done" in ended.text
