"""Use case volumes end to end: generated organoids with known truth, and a real volume, cut into blocks or not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import compare
import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import tifffile
import yaml
from quality import counts
from study import REPOSITORY, Study

from isthmus.fetch import fetch

pytestmark = pytest.mark.slow

CONFIG = REPOSITORY / "config" / "volumes.yaml"
REAL = REPOSITORY.parent / "shared/data/plantseg_nuclei3d/1136_mini.h5"
Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class Made:
    """The demo's data and its results, and one sample again in blocks and packs of its own."""

    data: Path
    results: Path
    cut: Path

    def truth(self, name: str) -> Labels:
        """The true nuclei of a sample."""
        return np.asarray(tifffile.imread(self.data / f"truth/{name}.ome.tif")).astype(np.int64)


def ran(study: Study, **sets: Any) -> Path:
    ended = study.run(sets=sets)
    assert ended.code == 0, ended.text
    return study.results


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("volumes")
    data = fetch("volumes_made", into=folder / "data")
    options = yaml.safe_load(CONFIG.read_text())
    options["analysis"]["gating"]["gates"] = str(data / "gates.csv")
    options["samples"] = str(data / "samples.tsv")
    whole = ran(Study(folder / "whole", [], options))
    one = {**options, "samples": "samples.tsv"}
    row = {"sample": "treated", "image": str(data / "treated.ome.tif"), "condition": "treated"}
    cut = Study(folder / "cut", [row], one)
    return Made(data, whole, ran(cut, **{"execution.block_px": [16, 256, 256], "execution.packs": 2}))


@pytest.mark.parametrize(
    ("name", "hits", "true", "found"), [("control", 208, 229, 220), ("treated", 189, 216, 198)]
)
def test_nuclei_are_those_of_the_truth(made: Made, name: str, hits: int, true: int, found: int) -> None:
    labels = compare.labels(made.results, "nuclei", name).astype(np.int64)
    assert counts(made.truth(name), labels).tolist() == [hits, true, found]


def test_blocks_and_packs_change_nothing(made: Made) -> None:
    compare.assert_same_sample(made.results, made.cut, "treated")
    seams = json.loads((made.cut / "treated" / "seams.json").read_text())
    assert (seams["verdict"], seams["differing_pixels"]) == ("same", 0)


@pytest.mark.parametrize("name", ["control", "treated"])
def test_places_and_sizes_are_in_micrometres(made: Made, name: str) -> None:
    table = compare.cells(made.results, name)
    truth = pd.read_csv(made.data / f"truth/{name}.csv").set_index("cell")
    labels, true = compare.labels(made.results, "nuclei", name), made.truth(name)
    shape = table.obsm["shape"].set_index(table.obs["instance_id"])
    matched = [(k, number) for number in shape.index if (k := same(true, labels, number))]
    assert len(matched) > 180
    ours = shape.loc[[number for _, number in matched]]
    theirs = truth.loc[[k for k, _ in matched]]
    for axis in "xyz":
        difference = ours[f"centroid_{axis}_um_nucleus"].to_numpy() - theirs[f"{axis}_um"].to_numpy()
        # half a voxel would be 0.2 um along x and y, 0.5 um along z
        assert abs(np.median(difference)) < 0.1, axis
    ratio = ours["volume_um3_nucleus"].to_numpy() / (theirs["voxels"].to_numpy() * 0.16)
    # the blur makes nuclei look larger than they are
    assert 1.0 < np.median(ratio) < 1.3
    assert table.obsm["spatial"].shape == (table.n_obs, 3)
    assert ours["sphericity_nucleus"].between(0.7, 1.05).all()


def same(true: Labels, labels: Labels, number: int) -> int:
    """The true nucleus of which one of ours is, by half of what both cover; 0 for none."""
    mine = labels == number
    k = int(np.bincount(true[mine]).argmax())
    return k if k and 2 * (mine & (true == k)).sum() > (mine | (true == k)).sum() else 0


def test_cells_reach_so_many_micrometres_along_every_axis(made: Made) -> None:
    nuclei, cells = (compare.labels(made.results, name, "control") for name in ("nuclei", "cells"))
    z, y, x = np.nonzero((cells > 0) & (nuclei == 0))
    places = np.stack([z, y * 0.4, x * 0.4], axis=1)
    chosen = np.random.default_rng(0).choice(len(places), 200, replace=False)
    reach = []
    for at in chosen:
        own = np.argwhere(nuclei == cells[z[at], y[at], x[at]]) * (1.0, 0.4, 0.4)
        reach.append(np.sqrt(((own - places[at]) ** 2).sum(axis=1)).min())
    assert max(reach) <= 2.0 + 1e-9
    assert max(reach) > 1.9


def test_types_are_found_and_the_cohort_compares_them(made: Made) -> None:
    cohort = anndata.read_h5ad(made.results / "cohort" / "cells.h5ad")
    assert list(cohort.var_names) == ["DNA", "SOX2", "KRT", "KI67"]
    right = []
    for name in ("control", "treated"):
        truth = pd.read_csv(made.data / f"truth/{name}.csv").set_index("cell")
        labels, true = compare.labels(made.results, "nuclei", name), made.truth(name)
        obs = cohort.obs[cohort.obs["sample"] == name].set_index("instance_id")
        for number, kind in obs["cell_type"].items():
            row = truth.loc[k] if (k := same(true, labels, int(number))) else None
            if row is not None:
                right.append(kind == ("dividing" if row["dividing"] else row["cell_type"]))
    assert np.mean(right) == pytest.approx(0.92, abs=0.03)
    shares = (cohort.obs["cell_type"] == "dividing").groupby(cohort.obs["condition"], observed=True).mean()
    assert shares["treated"] > 2 * shares["control"]


def test_the_report_shows_the_volume(made: Made) -> None:
    page = (made.results / "report.html").read_text()
    assert page.count("brightest voxel of every column") == 2
    assert "Voxels have their true proportions" in page


@pytest.mark.skipif(not REAL.is_file(), reason="the shared real data are not there")
def test_a_real_volume_from_hdf5(tmp_path: Path) -> None:
    options = {
        "use_case": "volumes",
        "segmentation": {"method": "blobs", "blobs": {"nucleus_diameter_um": 5.0}},
        "cells": {"expand_um": 1.0},
        "execution": {"block_px": [32, 256, 256], "packs": 2},
    }
    results = ran(Study(tmp_path / "study", [{"sample": "ovule", "image": str(REAL)}], options))
    with h5py.File(REAL) as file:
        truth = file["label"][:].astype(np.int64)
    labels = compare.labels(results, "nuclei", "ovule").astype(np.int64)
    assert counts(truth, labels).tolist() == [19, 32, 32]
    assert json.loads((results / "ovule" / "seams.json").read_text())["verdict"] == "same"
    assert compare.cells(results, "ovule").obs["volume_um3"].gt(0).all()
