"""Plates: a large one as a plan of headers alone, and the demo of screening against its truth."""

from __future__ import annotations

import csv
import io
import json
import re
import time

import anndata
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from conftest import Finished
from study import ISTHMUS, REPOSITORY, SNAKEMAKE, Study, command

from isthmus.fetch import fetch
from isthmus.launch.run import Run

SIDE = 2160
ROWS = "ABCDEFGHIJKLMNOP"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """384 wells, nine fields, four wavelengths: 13,824 files with a header each and not one pixel on disk."""
    folder = tmp_path_factory.mktemp("plate")
    whole = io.BytesIO()
    about = '<MetaData><PlaneInfo><prop id="spatial-calibration-{}" type="float" value="0.325"/></PlaneInfo></MetaData>'
    text = "".join(about.format(axis) for axis in "xy").replace(
        "</PlaneInfo></MetaData><MetaData><PlaneInfo>", ""
    )
    tifffile.imwrite(whole, np.zeros((SIDE, SIDE), np.uint16), description=text, metadata=None)
    size = whole.getbuffer().nbytes
    head = whole.getvalue()[: size - 2 * SIDE * SIDE]
    (folder / "plate").mkdir()
    for well in (f"{row}{column:02d}" for row in ROWS for column in range(1, 25)):
        for site in range(1, 10):
            for wave in range(1, 5):
                with (folder / "plate" / f"p_{well}_s{site}_w{wave}.TIF").open("wb") as file:
                    file.write(head)
                    file.truncate(size)
    options = {"use_case": "screening", "segmentation": {"basins": {"preset": "culture"}}}
    return Study(folder, [{"sample": "p", "image": "plate", "reader": "imagexpress"}], options)


def test_a_large_plate_is_planned_in_seconds(large: Study) -> None:
    began = time.process_time()
    plan = Run.from_files([large.config], overrides={}, cwd=large.folder, cores=8).plan
    assert time.process_time() - began < 10
    sample = plan.sample("p")
    assert sample.n_images == 3456
    assert sample.shape == (4, 1, SIDE, SIDE)
    assert sample.n_blocks == 3456
    assert sum(rule.jobs for rule in plan.rules.values()) < 100


def test_its_workflow_has_few_jobs(large: Study) -> None:
    words = [*SNAKEMAKE, "-n", "--cores", "8", "--configfile", str(large.config)]
    ended = command(words, large.folder)
    assert ended.code == 0, ended.text
    total = re.search(r"^total\s+(\d+)$", ended.out + ended.err, flags=re.MULTILINE)
    assert total, ended.text
    assert int(total[1]) < 100
    assert re.search(r"^profile_wells\s+1$", ended.out + ended.err, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The demo of screening: 36 wells with two fields each."""
    data = fetch("screening_made", into=tmp_path_factory.mktemp("screening") / "data")
    options = yaml.safe_load((REPOSITORY / "config" / "screening.yaml").read_text())
    options["samples"] = str(data / "samples.tsv")
    options["analysis"]["profiles"] |= {
        "plate_map": str(data / "plate_map.tsv"),
    }
    options["analysis"]["omics"][0]["path"] = str(data / "bulk.csv")
    study = Study(data.parent / "study", [], options)
    ended = study.run()
    assert ended.code == 0, ended.text
    return Finished(study, ended, "plate1")


def _truth(run: Finished) -> pd.DataFrame:
    path = run.study.folder.parent / "data" / "truth" / "wells.csv"
    return pd.DataFrame(list(csv.DictReader(path.read_text().splitlines()))).set_index("well")


@pytest.mark.slow
def test_the_demo_finds_every_cell_in_its_well(screened: Finished) -> None:
    cells = anndata.read_h5ad(screened.results / "plate1" / "cells.h5ad")
    truth = _truth(screened)["cells"].astype(int)
    found = cells.obs["well"].value_counts().reindex(truth.index)
    assert found.sum() == 4388
    assert (found - truth).abs().max() <= 1
    assert set(cells.obs["image"]) == {f"{well}-{site}" for well in truth.index for site in (1, 2)}
    assert cells.obs["instance_id"].tolist() == list(range(1, len(cells) + 1))


@pytest.mark.slow
def test_the_demo_takes_the_light_out_and_leaves_the_compounds(screened: Finished) -> None:
    wells = anndata.read_h5ad(screened.results / "plate1" / "wells.h5ad")
    light = _truth(screened).loc[wells.obs_names, "light"].astype(float).to_numpy()
    compound = wells.obs["compound"].astype(str).to_numpy()
    solvent = compound == "DMSO"
    for feature in ("DNA_mean_nucleus", "GFP_mean_cell"):
        k = list(wells.var_names).index(feature)
        before, after = (wells.layers[name][:, k] for name in ("median", "corrected"))
        assert np.corrcoef(before[solvent], light[solvent])[0, 1] > 0.95
        assert abs(np.corrcoef(after[solvent], light[solvent])[0, 1]) < 0.4
        assert after[solvent].std() < 0.5 * before[solvent].std()

    def ratio(feature: str, name: str) -> float:
        values = wells.layers["corrected"][:, list(wells.var_names).index(feature)]
        return float(np.median(values[compound == name]) / np.median(values[solvent]))

    assert ratio("n_cells", "toxin") == pytest.approx(0.42 / 0.85, abs=0.05)
    assert ratio("nucleus_area_um2", "toxin") == pytest.approx(1.25**2, abs=0.1)
    assert ratio("GFP_median_nucleus", "inducer") == pytest.approx(1.8, abs=0.15)
    assert ratio("nucleus_area_um2", "inert") == pytest.approx(1.0, abs=0.03)
    bulk = anndata.read_h5ad(screened.results / "cohort" / "bulk.h5ad")
    assert bulk.obs_names.tolist() == [f"plate1-{well}" for well in wells.obs_names]
    assert bulk.obs["compound"].astype(str).tolist() == compound.tolist()
    assert np.unique(bulk[compound == "inducer"].to_df()["MX1"]).tolist() == [6.8]


@pytest.mark.slow
def test_the_demo_is_a_plate_of_few_files_and_holds_together(screened: Finished) -> None:
    store = screened.results / "plate1" / "image.ome.zarr"
    plate = json.loads((store / "zarr.json").read_text())["attributes"]["ome"]["plate"]
    assert len(plate["wells"]) == 36
    n_found = sum(1 for _ in store.rglob("*"))
    n_above = 36 + 36 + 6 + 6 + 1  # wells, rows and their metadata, that of the plate
    assert n_found == 72 * 24 + n_above
    plan = json.loads((screened.results / "plan.json").read_text())
    assert sum(rule["jobs"] for rule in plan["rules"].values()) < 30
    ended = command([*ISTHMUS, "verify", str(screened.results)], screened.study.folder)
    assert ended.code == 0, ended.text
    page = (screened.results / "report.html").read_text()
    assert "nucleus_area_um2, corrected" in page
    assert "Profiles of wells are medians over their cells" in page
    assert "wells of one compound share its row" in page
    assert "Light where it does not belong" not in page
    seams = json.loads((screened.results / "plate1" / "seams.json").read_text())
    assert seams["verdict"] == "no_seams"
