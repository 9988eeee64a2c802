"""VPT's test region of MERSCOPE through the workflow: its outlines give its counts, and ours beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import compare
import numpy as np
import pandas as pd
import pytest
from in_process import run_here
from study import ISTHMUS, Study, command

pytestmark = pytest.mark.slow

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "merscope_vpt"
ROW = {"image": str(DATA), "reader": "merscope"}
VENDOR = {**ROW, "labels": str(DATA / "cells_cellpose.parquet"), "segmentation": "labels"}


@pytest.fixture(scope="module", autouse=True)
def _data() -> None:
    if not DATA.is_dir():
        pytest.skip("the test region of VPT is not there")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Plane 3 by our method and by the vendor's outlines, from the folder to the report."""
    folder = tmp_path_factory.mktemp("plane") / "study"
    rows = [{"sample": "ours", "labels": "", "segmentation": "", **ROW}, {"sample": "vendor", **VENDOR}]
    quality = {"quality": {"exclusive_markers": ["Comt:Ldha"]}}
    kept = {"execution": {"keep_intermediates": True}}
    study = Study(folder, rows, {"image": {"z": 3}, "analysis": quality, **kept})
    ended = study.run()
    assert ended.code == 0, ended.text
    return study


@pytest.fixture(scope="module")
def comparison(plane: Study) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((plane.results / "work" / "cohort" / "comparison.json").read_text())
    return made


def test_the_vendors_outlines_give_the_vendors_table_in_the_volume(tmp_path: Path) -> None:
    """All planes as a volume: ids are the vendor's, and 17 of 1,484 counts differ, within a pixel of borders."""
    study = Study(tmp_path / "study", [{"sample": "vendor", **VENDOR}], {"image": {"z": "all"}})
    ended = study.run(until=["vendor/cells.h5ad"])
    assert ended.code == 0, ended.text
    table = compare.cells(study.results, "vendor")
    truth = pd.read_csv(DATA / "cell_by_gene.csv", index_col=0)
    assert sorted(table.obs["instance_id"].tolist()) == sorted(truth.index.tolist())
    made = pd.DataFrame(
        table.layers["counts"].toarray(), index=table.obs["instance_id"], columns=table.var_names
    )
    controls = table.obsm["controls"].set_axis(table.obs["instance_id"])
    made = made.join(controls).reindex(index=truth.index, columns=truth.columns, fill_value=0)
    assert np.abs(made.to_numpy() - truth.to_numpy()).sum() == 17
    assert made.to_numpy().sum() == 1489


def test_planes_by_themselves_have_the_counts_of_the_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each plane an image: what a vendor's cell has in all planes together is what it has in the volume."""
    study = Study(tmp_path / "study", [{"sample": "vendor", **VENDOR}], {"image": {"z": "each"}})
    table = compare.cells(run_here(study, {}, monkeypatch), "vendor")
    truth = pd.read_csv(DATA / "cell_by_gene.csv", index_col=0)
    cell = table.obs["vendor_cell_id"].astype(np.int64).to_numpy()
    assert sorted(set(cell.tolist())) == sorted(truth.index.tolist())
    assert table.obs["plane"].nunique() == 7
    assert (
        not pd.Series(cell)
        .groupby(table.obs["plane"].to_numpy())
        .apply(lambda ids: ids.duplicated().any())
        .any()
    )
    made = pd.DataFrame(table.layers["counts"].toarray(), index=table.obs_names, columns=table.var_names)
    made = made.join(table.obsm["controls"]).groupby(cell).sum()
    made = made.reindex(index=truth.index, columns=truth.columns, fill_value=0)
    assert np.abs(made.to_numpy() - truth.to_numpy()).sum() == 17
    assert made.to_numpy().sum() == 1489


def test_cells_and_shares_of_transcripts_are_these(comparison: dict[str, Any]) -> None:
    """Golden numbers. The vendor's outlines of this test region do not follow the nuclei, hence the low F1."""
    ours, vendor = comparison["samples"]["ours"], comparison["samples"]["vendor"]
    assert (ours["cells"], vendor["cells"]) == (13, 10)
    assert (ours["in_cells"], vendor["in_cells"], ours["transcripts"]) == (2897, 1471, 3322)
    assert ours["in_cells"] / ours["transcripts"] == pytest.approx(0.872, abs=0.001)
    (pair,) = comparison["pairs"]
    assert (pair["with"], pair["sample"]) == ("ours", "vendor")
    assert pair["f1"] == pytest.approx(0.087, abs=0.001)
    assert ours["double_positive"] == pytest.approx(6 / 7)


def test_the_vendors_cells_are_kept_as_they_are(plane: Study) -> None:
    """Outlines are cells: nuclei and cells are the same pixels, however far nuclei would be grown."""
    nuclei, cells = (compare.labels(plane.results, name, "vendor") for name in ("nuclei", "cells"))
    assert np.array_equal(nuclei, cells)
    assert cells.max() > 2**53
    assert not np.array_equal(
        compare.labels(plane.results, "nuclei", "ours"), compare.labels(plane.results, "cells", "ours")
    )


def test_the_cohort_has_each_image_once(plane: Study) -> None:
    import anndata

    joined = anndata.read_h5ad(plane.results / "work" / "cohort" / "joined.h5ad")
    assert set(joined.obs["sample"]) == {"ours"}
    assert joined.n_obs == compare.cells(plane.results, "ours").obs["qc_pass"].sum()


def test_quality_of_counts_is_in_the_sample(plane: Study) -> None:
    table = compare.cells(plane.results, "ours")
    told = table.uns["isthmus"]["count_quality"]
    assert told["outside_cells"] == pytest.approx((3322 - 2897) / 3322)
    assert 0 < told["negative_rate"] < 0.2
    assert "field_z" in table.obs


def test_the_report_has_the_real_region(plane: Study) -> None:
    page = (plane.results / "report.html").read_text()
    assert "Segmentations compared" in page
    assert "has not been tested on real files" not in page
    assert "Cells were imported as they are" in page
    ended = command([*ISTHMUS, "verify", str(plane.results)], plane.folder)
    assert ended.code == 0, ended.text
