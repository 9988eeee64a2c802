"""How the work is cut changes no pixel, no id and no value; a window of the image gives the cells of the whole."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from typing import Any

import compare
import numpy as np
import pytest
import tifffile
from conftest import Copy, Finished
from study import Study, jobs_done, journal_lines

STEPS = ("segment_pack", "quantify_pack")


def execution(block_px: int, packs: int) -> dict[str, Any]:
    return {"execution.block_px": block_px, "execution.packs": packs}


def test_one_block_gives_what_twelve_give(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    ended = study.run(sets=execution(1024, 1), until=["a/cells.h5ad", "a/cells.parquet"])
    assert ended.code == 0, ended.text
    compare.assert_same_sample(small_run.results, study.results)
    assert not compare.cells(study.results).obs["touches_seam"].any()
    assert compare.cells(small_run.results).obs["touches_seam"].any()
    assert (
        journal_lines(study.results, "segment_pack") == journal_lines(small_run.results, "segment_pack") + 1
    )


@pytest.mark.slow
def test_cells_along_a_channel_are_the_same_in_any_blocks(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    guide = {"cells.guide.channel": "membrane", "cells.guide.kind": "cytoplasm"}
    until = ["a/cells.h5ad", "a/cells.parquet", "a/seams.json"]
    ended = study.run(sets=guide | execution(256, 3), until=until)
    assert ended.code == 0, ended.text
    evidence = json.loads((study.results / "a" / "seams.json").read_text())
    assert evidence["windows"]
    assert evidence["differing_pixels"] == 0
    before = study.results.with_name("before")
    shutil.copytree(study.results, before)
    ended = study.run(sets=guide | execution(512, 2), until=until)
    assert ended.code == 0, ended.text
    compare.assert_same_sample(before, study.results)
    evenly, along = compare.labels(small_run.results), compare.labels(study.results)
    nuclei = compare.labels(study.results, "nuclei")
    assert np.array_equal(nuclei, compare.labels(small_run.results, "nuclei"))
    assert (along != evenly).any()
    assert not ((along > 0) & (evenly == 0)).any(), "a guide never lets cells reach farther"


@pytest.mark.slow
def test_a_measured_diameter_is_the_same_in_any_blocks(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    sized = {"segmentation.basins.preset": "culture"}
    until = ["a/cells.h5ad", "a/cells.parquet", "a/seams.json"]
    ended = study.run(sets=sized | execution(256, 3), until=until)
    assert ended.code == 0, ended.text
    survey = json.loads((study.results / "work" / "a" / "survey.json").read_text())
    assert 5.0 <= survey["nucleus_diameter_um"] <= 9.0, "nuclei are drawn 6.4 to 10.6 um wide"
    assert not survey["diameter_at_bound"]
    evidence = json.loads((study.results / "a" / "seams.json").read_text())
    assert evidence["windows"]
    assert evidence["differing_pixels"] == 0
    before = study.results.with_name("before")
    shutil.copytree(study.results, before)
    ended = study.run(sets=sized | execution(1024, 1), until=until)
    assert ended.code == 0, ended.text
    compare.assert_same_sample(before, study.results)


@pytest.mark.slow
def test_another_number_of_packs_computes_no_block(small_run: Finished, copied: Copy) -> None:
    """Of a finished run nothing is made again; of an unfinished one the packs are cut anew and every block is kept."""
    study = copied(small_run)
    began = time.time()
    ended = study.run(sets=execution(256, 7), until=["a/cells.h5ad"])
    assert ended.code == 0, ended.text
    assert jobs_done(study.results, began) == {}
    for record in (study.results / "work" / "a").glob("*_pack/*.json"):
        record.unlink()
    for name in ("work/a/stitch_labels.json", "work/a/table.h5ad", "a/cells.h5ad"):
        (study.results / name).unlink()
    ended = study.run(sets=execution(256, 7), until=["a/cells.h5ad"])
    assert ended.code == 0, ended.text
    compare.assert_same_sample(small_run.results, study.results, seams=True)
    assert jobs_done(study.results, began)["segment_pack"] == 7
    assert [journal_lines(study.results, step) for step in STEPS] == [12, 12]


@pytest.mark.slow
def test_blocks_and_packs_change_nothing_in_the_demo(demo_run: Finished, copied: Copy) -> None:
    study = copied(demo_run)
    for block_px, packs in ((256, 7), (512, 2)):
        ended = study.run(
            sets=execution(block_px, packs), until=["breast1/cells.h5ad", "breast1/cells.parquet"]
        )
        assert ended.code == 0, ended.text
        compare.assert_same_sample(demo_run.results, study.results, "breast1")


WINDOW = [1000 + 200 * 0.2125, 200 + 100 * 0.2125, 1000 + 800 * 0.2125, 200 + 600 * 0.2125]
IN_WHOLE = (slice(100, 600), slice(200, 800))
INNER = (slice(100, -100), slice(100, -100))


@pytest.mark.slow
def test_a_window_holds_the_cells_of_the_whole(small_run: Finished, copied: Copy) -> None:
    """With the whole run's nuclei as labels, every value of a cell that the window does not cut is the same."""
    study = copied(small_run)
    shutil.rmtree(study.results)
    tifffile.imwrite(study.folder / "labels.tif", compare.labels(small_run.results, "nuclei"))
    study.rows[0]["labels"] = "labels.tif"
    study.write()
    ended = study.run(
        sets={"image.region_um": WINDOW, "segmentation.method": "labels"}, until=["a/cells.h5ad"]
    )
    assert ended.code == 0, ended.text
    whole, part = compare.labels(small_run.results)[IN_WHOLE], compare.labels(study.results)
    assert part.shape == (500, 600)
    assert np.array_equal(part[INNER], whole[INNER])
    ours, theirs = compare.cells(study.results), compare.cells(small_run.results)
    at_rim = np.unique(np.where(np.pad(np.zeros((300, 400), bool), 100, constant_values=True), part, 0))
    names = [f"a-{i}" for i in np.unique(part[INNER]) if i not in at_rim]
    assert len(names) > 15
    one, other = ours[names], theirs[names]
    assert np.array_equal(one.X.toarray(), other.X.toarray())
    np.testing.assert_allclose(one.obsm["spatial"], other.obsm["spatial"], rtol=0, atol=1e-9)
    # The background that `integrated` takes off is that of the pixels in use, so it is the window's own.
    same = [name for name in other.obsm["intensity"].columns if "_integrated_" not in name]
    assert len(same) > 30
    assert one.obsm["intensity"][same].equals(other.obsm["intensity"][same])
    for name in ("area_um2", "nucleus_area_um2", "n_counts", "n_low_quality", "qc_pass"):
        assert one.obs[name].tolist() == other.obs[name].tolist(), name
    rows = compare.transcripts(study.results).to_pandas()
    assert len(rows) == compare.transcripts(small_run.results).num_rows
    outside = (rows["x_um"] < WINDOW[0]) | (rows["x_um"] >= WINDOW[2])
    assert (rows.loc[outside, "instance_id"] == 0).all()


@pytest.mark.slow
def test_a_window_shows_what_the_whole_will_give(small_run: Finished, fresh: Callable[..., Study]) -> None:
    """Levels of brightness come from the window's own histogram, so outlines may differ a little; ids start at 1."""
    study = fresh("a")
    ended = study.run(sets={"image.region_um": WINDOW}, until=["a/cells.h5ad"])
    assert ended.code == 0, ended.text
    table = compare.cells(study.results)
    assert table.obs["instance_id"].tolist() == list(range(1, table.n_obs + 1))
    assert table.obsm["spatial"].min(axis=0) == pytest.approx(WINDOW[:2], abs=10)
    whole, part = (
        compare.labels(small_run.results, "nuclei")[IN_WHOLE],
        compare.labels(study.results, "nuclei"),
    )
    ids = np.unique(part[INNER])[1:]
    overlap = []
    for i in ids:
        mine = part == i
        same = whole == np.bincount(whole[mine]).argmax()
        overlap.append((mine & same).sum() / (mine | same).sum())
    assert np.mean(np.array(overlap) > 0.8) > 0.9
