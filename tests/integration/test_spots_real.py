"""Real sections end to end: a window of an olfactory bulb on an array, and a Visium folder up to its table."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pytest
from scipy.spatial import cKDTree
from shared_data import shared
from study import Study

pytestmark = pytest.mark.slow

OPTIONS = {
    "use_case": "spots",
    "segmentation": {"basins": {"channel": "hematoxylin", "nucleus_diameter_um": 60.0}},
    "cells": {"expand_um": 0.0},
}


@pytest.fixture(scope="module")
def bulb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the middle of section MOB1; 8 um a pixel, so that spots lie 200 um apart."""
    data = shared("st_mob")
    row = {
        "sample": "mob1",
        "image": str(data / "MOB1.jpg"),
        "counts": str(data / "MOB1.tsv.gz"),
        "reader": "st_array",
        "pixel_size_um": "8",
    }
    options = {
        **OPTIONS,
        "image": {"region_um": [4000, 4000, 9600, 9600]},
        "analysis": {"neighbourhood": {"max_distance_um": 320.0}},
    }
    study = Study(tmp_path_factory.mktemp("bulb") / "study", [row], options)
    ended = study.run()
    assert ended.code == 0, ended.text
    return study.results


def test_spots_of_a_bulb_have_their_counts_and_stains(bulb: Path) -> None:
    spots = anndata.read_h5ad(bulb / "mob1/spots.h5ad")
    obs = spots.obs
    assert (spots.shape, int(spots.X.sum()), int(obs["in_tissue"].sum())) == ((476, 1000), 957_060, 331)
    assert np.array_equal(obs["qc_pass"], obs["in_tissue"])
    assert np.corrcoef(np.log1p(obs["n_counts"]), obs["density"])[0, 1] == pytest.approx(0.801, abs=0.01)
    assert obs["hematoxylin"].mean() == pytest.approx(0.457, abs=0.01)
    assert obs["n_nuclei"].mean() == pytest.approx(2.63, abs=0.1)
    tissue = obs.groupby("in_tissue")["tissue_fraction"].mean()
    assert tissue[True] > tissue[False] + 0.5


def test_clusters_of_a_bulb_are_layers(bulb: Path) -> None:
    """Nobody told the clustering where spots lie, and yet neighbours are alike."""
    cohort = anndata.read_h5ad(bulb / "cohort/cells.h5ad")
    assert cohort.shape == (331, 1000)
    cluster = cohort.obs["leiden"].to_numpy()
    _, beside = cKDTree(cohort.obsm["spatial"]).query(cohort.obsm["spatial"], k=5)
    alike = (cluster[beside[:, 1:]] == cluster[:, None]).mean()
    by_chance = (np.unique(cluster, return_counts=True)[1] ** 2).sum() / len(cluster) ** 2
    assert 4 <= cohort.obs["leiden"].nunique() <= 8
    assert alike == pytest.approx(0.52, abs=0.08)
    assert alike > 2 * by_chance


def test_the_report_speaks_of_spots_and_counts_those_left_out(bulb: Path) -> None:
    page = (bulb / "report.html").read_text()
    assert "<b>476</b><span>spots</span>" in page
    assert "331 of 476 spots passed" in page
    assert "1,923 with counts and a place, 1,447 of them outside the part in use and left out" in page
    assert "11 spots with counts are not in the alignment table; they are left out" in page
    assert "median transcripts per spot" in page


def test_a_visium_folder(tmp_path: Path) -> None:
    outs = shared("visium_spatialexperiment") / "10xVisium/section2/outs"
    study = Study(tmp_path / "study", [{"sample": "section2", "counts": str(outs)}], OPTIONS)
    ended = study.run(
        until=["section2/spots.h5ad"],
        sets={"analysis.quality.min_counts": 1, "analysis.quality.min_genes": 1},
    )
    assert ended.code == 0, ended.text
    spots = anndata.read_h5ad(study.results / "section2/spots.h5ad")
    obs = spots.obs
    assert (spots.shape, int(spots.X.sum()), int(obs["qc_pass"].sum())) == ((49, 50), 673, 22)
    assert obs["density"][obs["in_tissue"]].min() > obs["density"][~obs["in_tissue"]].max() + 0.1
    assert (obs["tissue_fraction"] > 0.5).equals(obs["in_tissue"])
    assert obs["n_nuclei"].mean() == pytest.approx(0.633, abs=0.05)
