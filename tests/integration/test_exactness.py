"""How the work is cut changes no pixel, no id and no value; a window of the image gives the cells of the whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import compare
import numpy as np
import pytest
from conftest import Copy, Finished
from study import Study, jobs_done, journal_lines

CUTS = [(256, 1), (256, 7), (512, 1), (512, 2), (512, 7), (1024, 1), (1024, 2), (1024, 7)]


def execution(block_px: int, packs: int) -> dict[str, Any]:
    return {"execution.block_px": block_px, "execution.packs": packs}


def test_one_block_gives_what_twelve_give(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    ended = study.run(sets=execution(1024, 1), until=["a/cells.h5ad"])
    assert ended.code == 0, ended.text
    compare.assert_same_sample(small_run.results, study.results)
    assert not compare.cells(study.results).obs["touches_seam"].any()
    assert compare.cells(small_run.results).obs["touches_seam"].any()
    assert (
        journal_lines(study.results, "segment_pack") == journal_lines(small_run.results, "segment_pack") + 1
    )


@pytest.mark.slow
def test_blocks_and_packs_change_nothing(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    for block_px, packs in ((256, 7), (512, 2), (256, 1)):
        ended = study.run(sets=execution(block_px, packs), until=["a/cells.h5ad"])
        assert ended.code == 0, ended.text
        compare.assert_same_sample(small_run.results, study.results, seams=block_px == 256)


@pytest.mark.slow
def test_blocks_and_packs_change_nothing_in_the_demo(demo_run: Finished, copied: Copy) -> None:
    study = copied(demo_run)
    for block_px, packs in ((256, 7), (512, 2), (1024, 1)):
        ended = study.run(sets=execution(block_px, packs), until=["breast1/cells.h5ad"])
        assert ended.code == 0, ended.text
        compare.assert_same_sample(demo_run.results, study.results, "breast1")


@pytest.mark.slow
def test_packs_change_no_block(demo_run: Finished, copied: Copy) -> None:
    """Another number of packs finds every block done."""
    study = copied(demo_run)
    blocks = {
        step: journal_lines(study.results, step, "breast1") for step in ("segment_pack", "quantify_pack")
    }
    began = time.time()
    ended = study.run(sets={"execution.packs": 4}, until=["breast1/cells.h5ad"])
    assert ended.code == 0, ended.text
    compare.assert_same_sample(demo_run.results, study.results, "breast1", seams=True)
    assert jobs_done(study.results, began)["segment_pack"] in (0, 4)
    for step, n in blocks.items():
        assert journal_lines(study.results, step, "breast1") == n


@pytest.mark.slow
def test_a_window_holds_the_cells_of_the_whole(small_run: Finished, fresh: Callable[..., Study]) -> None:
    """Thresholds come from the window's own histogram, so the tissue's percentiles must not matter here: none do."""
    study = fresh("a")
    x0, y0, size = 1000.0, 200.0, 0.2125
    region = [x0 + 200 * size, y0 + 100 * size, x0 + 800 * size, y0 + 600 * size]
    ended = study.run(sets={"image.region_um": region}, until=["a/cells.h5ad"])
    assert ended.code == 0, ended.text
    whole, part = compare.labels(small_run.results), compare.labels(study.results)
    assert part.shape == (500, 600)
    ours, theirs = compare.cells(study.results), compare.cells(small_run.results)
    assert ours.obs["instance_id"].tolist() == list(range(1, ours.n_obs + 1))
    margin = 100
    inner = part[margin:-margin, margin:-margin]
    seen = whole[100 + margin : 600 - margin, 200 + margin : 800 - margin]
    ids = [
        i
        for i in np.unique(inner)[1:]
        if (part == i).sum() == (inner == i).sum() and not ours.obs.loc[f"a-{i}", "touches_edge"]
    ]
    assert len(ids) > 15
    for i in ids:
        their_id = seen[inner == i]
        assert (their_id == their_id[0]).all()
        assert (whole == their_id[0]).sum() == (inner == i).sum()
        one, other = ours[f"a-{i}"], theirs[f"a-{their_id[0]}"]
        np.testing.assert_allclose(one.obsm["spatial"], other.obsm["spatial"], atol=1e-9)
        assert (one.X != other.X).nnz == 0
        assert one.obsm["intensity"].to_numpy().tolist() == other.obsm["intensity"].to_numpy().tolist()
    rows = compare.transcripts(study.results).to_pandas()
    assert len(rows) == compare.transcripts(small_run.results).num_rows
    outside = (rows["x_um"] < region[0]) | (rows["x_um"] >= region[2])
    assert (rows.loc[outside, "instance_id"] == 0).all()
