"""Samples with next to nothing in them: an honest result, or one line that says why there is none."""

from __future__ import annotations

from pathlib import Path

import compare
import numpy as np
import pytest
from conftest import Copy, Finished
from study import Study
from tissue_sample import SHAPE, image_of, transcripts_of, write_image, write_sample, write_transcripts

from isthmus.plan.paths import RunPaths
from isthmus.verify.run import Verification

pytestmark = pytest.mark.slow


def dark() -> np.ndarray:
    """No light at all."""
    return np.zeros((2, *SHAPE), np.uint16)


def one_nucleus() -> np.ndarray:
    """One disk on a dark ground."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return np.stack([((y - 350) ** 2 + (x - 450) ** 2 < 20**2) * np.uint16(900)] * 2)


def sample(folder: Path, name: str, image: np.ndarray) -> dict[str, str]:
    row = write_sample(folder, name)
    write_image(folder / row["image"], image)
    return row


def only(faults: list[str], *words: str) -> None:
    assert len(faults) == 1, faults
    assert [word for word in words if word not in faults[0]] == [], faults[0]


def test_a_dark_image_alone_ends_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    study = Study(folder, [sample(folder, "dark", dark())])
    ended = study.run()
    assert ended.code == 1, ended.text
    only(ended.faults, "sample dark: no sample has a cell", "sensitivity")
    assert "Traceback" not in ended.text
    table = compare.cells(study.results, "dark")
    assert table.n_obs == 0
    assert table.n_vars == 24
    assert not compare.labels(study.results, "cells", "dark").any()
    rows = compare.transcripts(study.results, "dark")
    assert rows.num_rows == transcripts_of().num_rows
    assert set(rows["compartment"].to_pylist()) == {"none"}
    assert not (study.results / "cohort").exists()


def test_odd_samples_beside_a_good_one(small_run: Finished, copied: Copy) -> None:
    """A dark sample, and one with a single cell far from all transcripts."""
    study = copied(small_run)
    study.rows += [sample(study.folder, "dark", dark()), sample(study.folder, "apart", one_nucleus())]
    table = transcripts_of()
    far = np.hypot(table["x_location"].to_numpy() - 1095, table["y_location"].to_numpy() - 274) > 30
    write_transcripts(study.folder / "apart.parquet", table.filter(far))
    study.write()
    ended = study.run(sets={"execution.block_px": 1024, "execution.packs": 1})
    assert ended.code == 0, ended.text
    compare.assert_same_sample(small_run.results, study.results)
    assert compare.cells(study.results, "dark").n_obs == 0
    apart = compare.cells(study.results, "apart")
    assert apart.obs["n_counts"].tolist() == [0]
    assert not apart.obs["qc_pass"].any()
    cohort = compare.anndata.read_h5ad(study.results / "cohort" / "cells.h5ad")
    assert set(cohort.obs["sample"]) == {"a"}
    page = (study.results / "report.html").read_text()
    assert "dark" in page
    assert "apart" in page
    assert [str(fault) for fault in Verification(RunPaths(study.results)).faults()] == []


def test_a_single_cell_alone(tmp_path: Path) -> None:
    """One cell cannot be clustered: either an honest table of one cell, or one line."""
    folder = tmp_path / "study"
    study = Study(folder, [sample(folder, "one", one_nucleus())])
    ended = study.run(sets={"analysis.quality.max_control_fraction": 1})
    assert "Traceback" not in ended.text
    assert compare.cells(study.results, "one").obs["qc_pass"].tolist() == [True]
    if ended.code == 0:
        assert compare.anndata.read_h5ad(study.results / "cohort" / "cells.h5ad").n_obs == 1
        assert (study.results / "report.html").exists()
    else:
        assert ended.code == 1
        only(ended.faults, "cell")


def test_no_cell_passes(small_run: Finished, copied: Copy) -> None:
    study = copied(small_run)
    ended = study.run(sets={"analysis.quality.min_counts": 100_000})
    assert ended.code == 1, ended.text
    only(ended.faults, "analysis.quality", "154 cells", "min_counts")
    assert not compare.cells(study.results).obs["qc_pass"].any()


def test_no_transcripts_at_all(tmp_path: Path) -> None:
    """Images alone: intensities are measured, and the run says what it cannot do, or does it."""
    folder = tmp_path / "study"
    row = write_sample(folder)
    study = Study(folder, [{key: value for key, value in row.items() if key != "transcripts"}])
    write_image(folder / "a.ome.tif", image_of())
    ended = study.run()
    assert "Traceback" not in ended.text
    assert ended.code in (0, 1), ended.text
    if ended.code == 1:
        assert len(ended.faults) == 1, ended.faults
