"""Use case spots end to end: a generated section in the form of Space Ranger, its nuclei, stains and regions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score
from study import ISTHMUS, REPOSITORY, Ended, Study, command

from isthmus.fetch import fetch

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Made:
    """The demo's data and results, the table of its spots, and what is true of them."""

    data: Path
    results: Path
    study: Study
    spots: anndata.AnnData
    truth: pd.DataFrame


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("spots")
    data = fetch("spots_made", into=folder / "data")
    options = yaml.safe_load((REPOSITORY / "config" / "spots.yaml").read_text())
    options["samples"] = str(data / "samples.tsv")
    study = Study(folder / "study", [], options)
    ended = study.run()
    assert ended.code == 0, ended.text
    spots = anndata.read_h5ad(study.results / "section" / "spots.h5ad")
    truth = pd.read_csv(data / "truth/spots.csv").set_index("barcode").loc[spots.obs["barcode"].astype(str)]
    return Made(data, study.results, study, spots, truth)


def test_nuclei_are_found_where_they_are(made: Made) -> None:
    nuclei = anndata.read_h5ad(made.results / "section" / "cells.h5ad")
    true = pd.read_csv(made.data / "truth/nuclei.csv").to_numpy()
    distance, _ = cKDTree(nuclei.obsm["spatial"]).query(true)
    assert (distance < 2).mean() > 0.95
    assert nuclei.n_obs == pytest.approx(len(true), rel=0.05)


def test_spots_have_their_counts_nuclei_and_stains(made: Made) -> None:
    obs = made.spots.obs
    assert made.spots.shape == (224, 36)
    assert int(made.spots.layers["counts"].sum()) == int(obs["n_counts"].sum())
    assert np.corrcoef(obs["n_nuclei"], made.truth["nuclei"])[0, 1] > 0.99
    means = obs.groupby(made.truth["region"].to_numpy())[["hematoxylin", "eosin", "tissue_fraction"]].mean()
    assert means.loc["tumour", "hematoxylin"] > 2 * means.loc["stroma", "hematoxylin"]
    assert means.loc["stroma", "eosin"] > 5 * means.loc["glass", "eosin"]
    assert means.loc["stroma", "tissue_fraction"] > 0.9
    assert means.loc["glass", "tissue_fraction"] < 0.1


def test_spots_on_glass_do_not_pass(made: Made) -> None:
    glass = (made.truth["region"] == "glass").to_numpy()
    assert not made.spots.obs["qc_pass"].to_numpy()[glass].any()
    assert made.spots.obs["qc_pass"].to_numpy()[~glass].all()


def test_clusters_of_the_cohort_are_the_regions(made: Made) -> None:
    cohort = anndata.read_h5ad(made.results / "cohort" / "cells.h5ad")
    region = made.truth["region"].loc[cohort.obs["barcode"].astype(str)]
    assert adjusted_rand_score(region, cohort.obs["leiden"]) > 0.9
    assert set(cohort.obs["region"]) == {"spots"}
    assert (made.results / "report.html").is_file()


def test_nuclei_have_no_genes(made: Made) -> None:
    with h5py.File(made.results / "section" / "cells.h5mu") as file:
        assert "channels" in file["mod"]
        assert "rna" not in file["mod"]


def verify(made: Made) -> Ended:
    return command([*ISTHMUS, "verify", str(made.results)], made.results.parent)


def test_verify_finds_spots_sound_and_a_deleted_table_is_made_again(made: Made) -> None:
    verified = verify(made)
    assert verified.code == 0, verified.text
    table = made.results / "section" / "spots.h5ad"
    table.unlink()
    assert verify(made).code != 0
    again = made.study.run()
    assert again.code == 0, again.text
    assert anndata.read_h5ad(table).obs.equals(made.spots.obs)
    verified = verify(made)
    assert verified.code == 0, verified.text
