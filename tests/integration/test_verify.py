"""`isthmus verify` finds every harm that is done to finished results, names it, and finds nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from conftest import Copy, Finished

from isthmus.cli.main import main
from isthmus.errors import UserError
from isthmus.launch.jobs import planned_jobs
from isthmus.launch.repair import repair
from isthmus.plan.model import read_plan
from isthmus.plan.paths import RunPaths
from isthmus.verify.run import Verification

Harm = Callable[[Path], object]


def found(results: Path) -> list[str]:
    """The faults, a line each."""
    faults = [str(fault) for fault in Verification(RunPaths(results)).faults()]
    assert all("\n" not in fault and "; " in fault for fault in faults)
    return faults


def shards(array: Path) -> list[Path]:
    """Stored objects of an array, the largest first."""
    files = [path for path in (array / "c").rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: (-path.stat().st_size, path))


def flip(path: Path, at: float = 0.5) -> None:
    """Change one byte; size and modification time stay."""
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def forget_what_was_written(results: Path) -> None:
    """Leave nothing but the results themselves."""
    shutil.rmtree(results / "work")
    (results / "metrics" / "published.json").unlink()


def change_table(path: Path, change: Callable[[anndata.AnnData], anndata.AnnData]) -> None:
    """Write a table anew."""
    change(anndata.read_h5ad(path)).write_h5ad(path)


def test_nothing_is_wrong_with_a_finished_run(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(finished.study.folder)
    before = {path: path.stat().st_mtime_ns for path in finished.study.folder.rglob("*")}
    assert main(["verify", "config.yaml"]) == 0
    assert main(["verify", str(finished.results)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith("fine: ")
    assert {path: path.stat().st_mtime_ns for path in finished.study.folder.rglob("*")} == before


def test_stored_objects_come_to_harm(
    small_run: Finished, copied: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong byte, a missing one, a shorter one, one too many, in each kind of array."""
    results = copied(small_run).results
    image = results / "a" / "image.ome.zarr"
    nuclei, cells = (shards(image / "labels" / name / "0") for name in ("nuclei", "cells"))
    flip(nuclei[0])
    cells[0].unlink()
    cells[1].write_bytes(cells[1].read_bytes()[:-9])
    stranger = cells[1].with_name("77")
    stranger.write_bytes(b"x")
    (image / "1" / "zarr.json").unlink()
    flip(shards(image / "0")[0])
    assert main(["verify", str(results)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    for path, what in (
        (nuclei[0], "its bytes are not those that were written, quantify_pack.a."),
        (cells[0], "is missing, quantify_pack.a."),
        (cells[1], f"bytes instead of {cells[1].stat().st_size + 9:,}"),
        (stranger, "no job has written this file"),
        (image / "1" / "zarr.json", "is missing, build_pyramid.a"),
        (shards(image / "0")[0], "its bytes are not those that were written, import_image.a"),
    ):
        assert [line for line in lines if str(path) in line and what in line], (path, lines)


@pytest.mark.parametrize("work", ["there", "deleted"])
def test_results_come_to_harm(small_run: Finished, copied: Copy, work: str) -> None:
    results = copied(small_run).results
    if work == "deleted":
        shutil.rmtree(results / "work")
    flip(results / "a" / "cells.h5ad", 0.9)
    flip(results / "a" / "transcripts.parquet")
    (results / "cohort" / "cells.h5ad").unlink()
    (results / "a" / "seams.json").write_text("{}")
    faults = found(results)
    assert len(faults) == 4
    for name in ("a/cells.h5ad", "a/transcripts.parquet", "cohort/cells.h5ad", "a/seams.json"):
        assert any(str(results / name) in fault for fault in faults), (name, faults)


@pytest.mark.parametrize("step", ["segment_pack", "quantify_pack"])
def test_a_truncated_journal_is_found(small_run: Finished, copied: Copy, step: str) -> None:
    results = copied(small_run).results
    folder = results / "work" / "a" / step / "journal"
    lines = folder / "1-of-2.jsonl"
    lines.write_bytes(lines.read_bytes()[:-30])
    records = folder / "2-of-2.bin"
    records.write_bytes(records.read_bytes()[:-1])
    (fault,) = found(results)
    assert str(folder) in fault
    assert "the journal is cut short: 2 blocks of 12 without a whole entry" in fault
    damages = repair(read_plan(results / "plan.json"), RunPaths(results))
    assert [damage.job for damage in damages] == [f"{step}.a.1-of-2", f"{step}.a.2-of-2"]
    assert not any(target.exists() for damage in damages for target in damage.targets)


def test_a_torn_line_that_was_written_again_is_no_fault(small_run: Finished, copied: Copy) -> None:
    results = copied(small_run).results
    journal = results / "work" / "a" / "quantify_pack" / "journal" / "1-of-2.jsonl"
    journal.write_bytes(b'{"block": 3, "dig\n' + journal.read_bytes())
    assert found(results) == []


def drop_a_cell(results: Path) -> None:
    change_table(results / "a" / "cells.h5ad", lambda table: table[np.arange(table.n_obs) != 5].copy())


def change_sizes(results: Path) -> None:
    def change(table: anndata.AnnData) -> anndata.AnnData:
        table.obs["area_um2"] = table.obs["area_um2"].to_numpy() + 0.01
        table.obsm["spatial"][7, 1] = 1e6
        return table

    change_table(results / "a" / "cells.h5ad", change)


def change_counts(results: Path) -> None:
    def change(table: anndata.AnnData) -> anndata.AnnData:
        table.layers["counts"].data[0] += 1
        return table

    change_table(results / "a" / "cells.h5ad", change)


def change_a_cell_of_transcripts(results: Path) -> None:
    path = results / "a" / "transcripts.parquet"
    table = pq.read_table(path)
    ids = table.column("instance_id").to_numpy().copy()
    ids[np.flatnonzero(ids)[:3]] = 10**9
    at = table.schema.get_field_index("instance_id")
    pq.write_table(table.set_column(at, "instance_id", [ids]), path)


def drop_an_outline(results: Path) -> None:
    path = results / "a" / "cells.parquet"
    pq.write_table(pq.read_table(path)[1:], path)


def paint_a_label(results: Path) -> None:
    array = zarr.open_array(results / "a" / "image.ome.zarr" / "labels" / "cells" / "0", mode="r+")
    array[0:2, 0:2] = 250


def drop_a_cell_of_the_cohort(results: Path) -> None:
    change_table(results / "cohort" / "cells.h5ad", lambda table: table[1:].copy())


def fail_the_certificate(results: Path) -> None:
    path = results / "a" / "seams.json"
    seams = json.loads(path.read_text())
    path.write_text(json.dumps({**seams, "verdict": "different", "differing_pixels": 4}))


def fill_a_shard_with_noise(results: Path) -> None:
    array = results / "a" / "image.ome.zarr" / "1"
    shards(array)[0].write_bytes(bytes(range(256)) * 20)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (
            drop_a_cell,
            ["instance of labels/cells without a row", "of labels/nuclei", "cells.parquet", "transcript"],
        ),
        (change_sizes, ["area_um2 is not that of the pixels", "obsm['spatial'] is not the centre"]),
        (change_counts, ["n_counts is not the sum of layers/counts", "1 of "]),
        (change_a_cell_of_transcripts, ["3 transcripts in cells that the table lacks", "have other counts"]),
        (drop_an_outline, ["from row 0 on, it has other cells than the table"]),
        (paint_a_label, ["1 instance of labels/cells without a row, first 250"]),
        (drop_a_cell_of_the_cohort, ["that passed quality control"]),
        (fail_the_certificate, ["the certificate says 'different', with 4 differing pixels"]),
        (fill_a_shard_with_noise, ["the stored pixels cannot be decoded"]),
    ],
)
def test_parts_that_disagree_are_found_without_any_note(
    small_run: Finished, copied: Copy, harm: Harm, told: list[str]
) -> None:
    """What was changed with care, checksums and all, or after every note was lost."""
    results = copied(small_run).results
    forget_what_was_written(results)
    harm(results)
    first, *faults = found(results)
    assert "nothing tells what was written" in first
    for words in told:
        assert any(words in fault for fault in faults), (words, faults)


@pytest.mark.parametrize("name", ["plan.json", "metrics/published.json"])
def test_garbage_instead_of_a_note(
    small_run: Finished, copied: Copy, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    results = copied(small_run).results
    (results / name).write_text('{"version": 1, "jo')
    assert main(["verify", str(results)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(results / name) in line


def test_a_run_that_is_not_complete_is_no_finished_run(small_run: Finished, copied: Copy) -> None:
    results = copied(small_run).results
    for name in ("report", "build_table.a"):
        (results / "work" / "jobs" / f"{name}.jsonl").unlink()
    (results / "metrics" / "published.json").unlink()
    n_jobs = len(list(planned_jobs(read_plan(results / "plan.json"))))
    (fault,) = found(results)
    assert f"the run is not complete: 2 jobs of {n_jobs} not done (first: build_table.a)" in fault


def test_a_run_under_way_is_left_alone(small_run: Finished, copied: Copy) -> None:
    results = copied(small_run).results
    (results / "work" / "head.json").write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with pytest.raises(UserError, match="a run is under way here"):
        found(results)
