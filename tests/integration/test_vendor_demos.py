"""The demos of MERSCOPE and CosMx end to end against their truth: places, counts, types of segmentation, structures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import compare
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.spatial import cKDTree
from study import ISTHMUS, REPOSITORY, Study, command

from isthmus.fetch import fetch

pytestmark = pytest.mark.slow

ACCESSIONS = {
    "image_accession": "S-BIAD634, idr0062",
    "omics_accession": "E-MTAB-12345",
    "biosample": "SAMEA2397676",
}


@dataclass(frozen=True)
class Demo:
    """A finished demo, its data, and its truth."""

    data: Path
    study: Study
    truth: pd.DataFrame

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.study.results

    def page(self) -> str:
        """The report."""
        return (self.results / "report.html").read_text()

    def comparison(self) -> dict[str, Any]:
        """How the two segmentations compare."""
        made: dict[str, Any] = json.loads((self.results / "work" / "cohort" / "comparison.json").read_text())
        return made


def run(name: str, folder: Path) -> Demo:
    data = fetch(f"{name}_made", into=folder / "data")
    sheet = pd.read_csv(data / "samples.tsv", sep="\t", dtype=str).assign(**ACCESSIONS)
    sheet.to_csv(data / "samples.tsv", sep="\t", index=False)
    options = yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text())
    options |= {
        "samples": str(data / "samples.tsv"),
        "results": "out",
        "execution": {"keep_intermediates": True},
    }
    study = Study(folder / "study", [], options)
    ended = study.run()
    assert ended.code == 0, ended.text
    return Demo(data, study, pd.read_csv(data / "truth" / "cells.csv"))


@pytest.fixture(scope="session")
def merscope(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return run("merscope", tmp_path_factory.mktemp("merscope"))


@pytest.fixture(scope="session")
def cosmx(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return run("cosmx", tmp_path_factory.mktemp("cosmx"))


def nearest(table: anndata.AnnData, truth: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Distance to, and number of, the true cell nearest to each cell."""
    distance, number = cKDTree(truth[["x_um", "y_um"]]).query(table.obsm["spatial"])
    return np.asarray(distance), np.asarray(number)


def test_merscope_nuclei_are_found_where_they_are(merscope: Demo) -> None:
    """A flip, an offset, or half a pixel would show: the mean shift is below a tenth of a pixel's width of 0.108 um."""
    cells = compare.cells(merscope.results, "region")
    distance, number = nearest(cells, merscope.truth)
    assert len(merscope.truth) == 137
    assert cells.n_obs == 137
    assert (distance < 1.0).all()
    assert np.unique(number).size == 137
    true = merscope.truth[["x_um", "y_um"]].to_numpy()[number]
    assert np.abs((cells.obsm["spatial"] - true).mean(axis=0)).max() < 0.02


def test_merscope_outlines_give_the_true_counts(merscope: Demo) -> None:
    """The vendor's outlines are the true ones: cells hold what truly lies in them, but for pixels at borders."""
    vendor = compare.cells(merscope.results, "region_vendor")
    assert vendor.obs["instance_id"].tolist() == merscope.truth["cell"].tolist()
    counted = vendor.obs["n_counts"].to_numpy() + vendor.obsm["controls"].to_numpy().sum(axis=1)
    assert np.abs(counted - merscope.truth["molecules"].to_numpy()).max() <= 2
    transcripts = compare.transcripts(merscope.results, "region_vendor").to_pandas()
    inside = pd.read_csv(merscope.data / "truth" / "transcripts.csv")["inside"].to_numpy()
    assert (transcripts["instance_id"].to_numpy() == inside).mean() > 0.995


def test_merscope_segmentations_are_compared(merscope: Demo) -> None:
    found = merscope.comparison()
    assert found["pairs"][0]["f1"] > 0.99
    ours, vendor = found["samples"]["region"], found["samples"]["region_vendor"]
    assert (ours["cells"], vendor["cells"]) == (137, 137)
    assert ours["in_cells"] / ours["transcripts"] > 0.85
    assert ours["double_positive"] == pytest.approx(vendor["double_positive"], abs=0.1)


def test_merscope_distances_are_those_of_the_truth(merscope: Demo) -> None:
    """Signed distances to an island that is no square: a flip, an offset or exchanged axes would show."""
    column = "distance_to_island_um"
    for name in ("region", "region_vendor"):
        cells = compare.cells(merscope.results, name)
        _, number = nearest(cells, merscope.truth)
        true = merscope.truth["distance_to_island_um"].to_numpy()[number]
        away = cells.obs[column].to_numpy()
        assert np.abs(away - true).max() < 0.6
        assert ((away < 0) == (true < 0)).mean() > 0.98
        epithelium = (merscope.truth["cell_type"] == "epithelium").to_numpy()[number]
        assert (away[epithelium] < 0).all()
    table = pd.read_csv(merscope.results / "cohort" / "structures.tsv", sep="\t")
    assert table["structure"].unique().tolist() == ["Island"]
    everything = table[table["type"] == "all cells"].iloc[0]
    cohort = anndata.read_h5ad(merscope.results / "cohort" / "cells.h5ad")
    assert everything["n_cells"] == cohort.n_obs == table["n_cells"][table["type"] != "all cells"].sum()
    assert everything["n_inside"] == (cohort.obs[column] < 0).sum()
    assert everything["median_um"] == pytest.approx(cohort.obs[column].median(), abs=1e-4)
    assert "Distance to Island" in merscope.page()
    assert "structures that were drawn (Island)" in merscope.page()


def test_cosmx_cells_are_those_of_the_export(cosmx: Demo) -> None:
    vendor = compare.cells(cosmx.results, "slide_vendor")
    truth = cosmx.truth.assign(id=cosmx.truth["fov"] * 1_000_000 + cosmx.truth["cell"]).set_index("id")
    assert sorted(vendor.obs["instance_id"]) == sorted(truth.index)
    assert set(vendor.obs["fov"].astype(str)) == {"1", "2", "3"}
    fov = vendor.obs["instance_id"].to_numpy() // 1_000_000
    assert (vendor.obs["fov"].astype(str).to_numpy() == fov.astype(str)).mean() > 0.98
    transcripts = compare.transcripts(cosmx.results, "slide_vendor").to_pandas()
    given = transcripts["vendor_cell_id"].astype(object).fillna("0").astype("int64")
    assert (given == transcripts["instance_id"]).all()


def test_cosmx_nuclei_lie_in_the_vendors_cells(cosmx: Demo) -> None:
    """Fields that were turned, or rows that run the wrong way, would put them elsewhere."""
    found = cosmx.comparison()
    assert found["pairs"][0]["f1"] > 0.9
    ours, vendor = found["samples"]["slide"], found["samples"]["slide_vendor"]
    assert vendor["cells"] == 136
    assert abs(ours["cells"] - vendor["cells"]) <= 6
    assert ours["in_cells"] / vendor["in_cells"] > 0.9


def test_cosmx_types_have_their_markers(cosmx: Demo) -> None:
    vendor = compare.cells(cosmx.results, "slide_vendor")
    truth = cosmx.truth.assign(id=cosmx.truth["fov"] * 1_000_000 + cosmx.truth["cell"]).set_index("id")[
        "cell_type"
    ]
    counts = vendor.to_df(layer="counts")
    kind = truth.loc[vendor.obs["instance_id"]].to_numpy()
    for gene, of in (("EPCAM", "epithelium"), ("COL1A1", "stroma"), ("PTPRC", "immune")):
        assert counts.loc[kind == of, gene].mean() > 10 * counts.loc[kind != of, gene].mean()
    assert not [name for name in vendor.var_names if name.startswith("NegPrb")]
    assert vendor.obsm["controls"].shape[1] == 10


@pytest.mark.parametrize("name", ["merscope", "cosmx"])
def test_accessions_reach_tables_and_page(name: str, request: pytest.FixtureRequest) -> None:
    demo: Demo = request.getfixturevalue(name)
    sample = {"merscope": "region", "cosmx": "slide"}[name]
    for path in (demo.results / sample / "cells.h5ad", demo.results / "cohort" / "cells.h5ad"):
        obs = anndata.read_h5ad(path).obs
        for column, accession in ACCESSIONS.items():
            assert set(obs[column]) == {accession}, (path, column)
    page = demo.page()
    for accession in ("S-BIAD634", "idr0062", "E-MTAB-12345", "SAMEA2397676"):
        assert f'{accession}"' in page, accession


@pytest.mark.parametrize("name", ["merscope", "cosmx"])
def test_the_run_holds_together(name: str, request: pytest.FixtureRequest) -> None:
    demo: Demo = request.getfixturevalue(name)
    ended = command([*ISTHMUS, "verify", str(demo.results)], demo.study.folder)
    assert ended.code == 0, ended.text
    for sample in pd.read_csv(demo.data / "samples.tsv", sep="\t")["sample"]:
        assert json.loads((demo.results / sample / "seams.json").read_text())["verdict"] in (
            "same",
            "no_seams",
        )
    assert ("no real CosMx export has tested this reader" in demo.page()) == (name == "cosmx")
