"""What came to harm in a finished run is found and made again, and nothing else is."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import compare
import pytest
from conftest import Copy, Finished
from study import Study, jobs_done, journal_lines

from isthmus.plan.paths import RunPaths
from isthmus.verify.run import Verification

pytestmark = pytest.mark.slow

Harm = Callable[[Path], object]


def a_shard(array: Path) -> Path:
    """The largest stored object of an array."""
    return max(
        (path for path in (array / "c").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Change one byte, keep size and modification time."""
    import os

    stat, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def labels_shard(results: Path, name: str) -> Path:
    return a_shard(results / "a" / "image.ome.zarr" / "labels" / name / "0")


def repaired(study: Study, good: Path) -> tuple[Counter[str], dict[str, int]]:
    """Run again; the results must be equal. Returns the jobs that ran and the blocks that were computed."""
    blocks = {step: journal_lines(study.results, step) for step in ("segment_pack", "quantify_pack")}
    began = time.time()
    ended = study.run()
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    compare.assert_same_sample(good, study.results, seams=True)
    compare.assert_same_table(
        *(compare.anndata.read_h5ad(r / "cohort" / "cells.h5ad") for r in (good, study.results))
    )
    assert [str(fault) for fault in Verification(RunPaths(study.results)).faults()] == []
    return jobs_done(study.results, began), {
        step: journal_lines(study.results, step) - n for step, n in blocks.items()
    }


def test_label_shards_records_and_tables(small_run: Finished, copied: Copy) -> None:
    """Shards gone and with a wrong byte, pack records gone and cut, a table cut: only their blocks are made again."""
    study = copied(small_run)
    labels_shard(study.results, "cells").unlink()
    flip(labels_shard(study.results, "nuclei"))
    truncate(a_shard(study.results / "work" / "a" / "local_labels.zarr"))
    (study.results / "work" / "a" / "segment_pack" / "1-of-2.json").unlink()
    truncate(study.results / "work" / "a" / "quantify_pack" / "2-of-2.json")
    truncate(study.results / "a" / "cells.h5ad")
    jobs, blocks = repaired(study, small_run.results)
    assert set(jobs) == {"segment_pack", "quantify_pack", "assess_quality"}
    assert blocks["segment_pack"] == 1
    assert 1 <= blocks["quantify_pack"] <= 2


def test_journals_that_were_cut_short(small_run: Finished, copied: Copy) -> None:
    """What later steps would miss is computed again, a block each; what comes after it stays."""
    study = copied(small_run)
    folder = study.results / "work" / "a"
    lines = folder / "quantify_pack" / "journal" / "1-of-2.jsonl"
    lines.write_bytes(lines.read_bytes()[:-30])
    records = folder / "segment_pack" / "journal" / "2-of-2.bin"
    records.write_bytes(records.read_bytes()[:-1])
    jobs, blocks = repaired(study, small_run.results)
    assert {"segment_pack": 1, "quantify_pack": 1}.items() <= jobs.items()
    assert blocks == {"segment_pack": 1, "quantify_pack": 1}
    assert jobs.keys() <= {"segment_pack", "stitch_labels", "quantify_pack"}


def test_image_shards_levels_and_results_that_no_rule_names(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    image = study.results / "a" / "image.ome.zarr"
    truncate(a_shard(image / "0"))
    a_shard(image / "1").unlink()
    (image / "zarr.json").unlink()
    truncate(study.results / "a" / "transcripts.parquet")
    flip(study.results / "a" / "cells.parquet")
    (study.results / "report.html").unlink()
    jobs, blocks = repaired(study, small_run.results)
    assert blocks == {"segment_pack": 0, "quantify_pack": 0}
    assert set(jobs) <= {
        "import_image",
        "survey_image",
        "build_pyramid",
        "build_table",
        "build_outlines",
        "assess_quality",
        "join_modalities",
        "integrate_cohort",
        "analyse",
        "annotate",
        "report",
    }
    assert (image / "zarr.json").exists()
    assert (study.results / "report.html").exists()


def test_garbage_where_notes_are_kept(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    work = study.results / "work"
    (study.results / "plan.json").write_text('{"version": 1, "samp')
    for path in (
        work / "a" / "segment_pack" / "journal" / "1-of-2.jsonl",
        work / "jobs" / "build_table.a.jsonl",
    ):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([b"\xff\xfe{garbage\n", *lines, b'"text"\n', b'{"block": 1, "dig']))
    (work / "head.json").write_text("garbage")
    jobs, blocks = repaired(study, small_run.results)
    assert blocks == {"segment_pack": 0, "quantify_pack": 0}
    assert jobs == {}


def test_an_image_shard_is_repaired_before_new_work_reads_it(small_run: Finished, copied: Copy) -> None:
    """A damaged level 0 under a changed option: the new segmentation must not read the damage."""
    study = copied(small_run)
    truncate(a_shard(study.results / "a" / "image.ome.zarr" / "0"))
    ended = study.run(sets={"segmentation.basins.sensitivity": 0.55}, until=["a/cells.h5ad"])
    assert ended.code == 0, ended.text
    ended = study.run(until=["a/cells.h5ad"])
    assert ended.code == 0, ended.text
    compare.assert_same_sample(small_run.results, study.results, seams=True)


def without_work(run: Finished, copied: Copy) -> Study:
    """A finished study whose intermediates were deleted; nothing is made again for that."""
    study = copied(run)
    shutil.rmtree(study.results / "work")
    jobs, _ = repaired(study, run.results)
    assert jobs == {}
    return study


def test_harm_to_a_sample_without_intermediates(small_run: Finished, copied: Copy) -> None:
    """The sample is made again as a whole, to the same values; then all is well."""
    study = without_work(small_run, copied)
    sample = study.results / "a"
    (sample / "cells.h5ad").unlink()
    (sample / "transcripts.parquet").unlink()
    truncate(labels_shard(study.results, "cells"))
    flip(sample / "seams.json")
    jobs, _ = repaired(study, small_run.results)
    assert jobs["quantify_pack"] == 2
    assert jobs["report"] == 1
    assert (sample / "seams.json").read_bytes() == (small_run.results / "a" / "seams.json").read_bytes()
    assert repaired(study, small_run.results)[0] == {}


def test_harm_to_the_cohort_without_intermediates(small_run: Finished, copied: Copy) -> None:
    """Samples are left alone."""
    study = without_work(small_run, copied)
    truncate(study.results / "cohort" / "cells.h5ad")
    jobs, _ = repaired(study, small_run.results)
    assert jobs == {"integrate_cohort": 1, "analyse": 1, "annotate": 1, "report": 1}
    assert repaired(study, small_run.results)[0] == {}


def test_a_stale_lock_beside_a_living_run(small_run: Finished, copied: Copy) -> None:
    """Locks on files of these results are of a killed run, whoever else works in the directory."""
    study = copied(small_run)
    locks = study.folder / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text("out/report.html\n")
    (locks / "1.output.lock").write_text("other/report.html\n")
    (study.results / "report.html").unlink()
    assert repaired(study, small_run.results)[0] == {"report": 1}
