"""Spatial proteomics end to end: the generated slide against its truth, real mass cytometry against its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anndata
import compare
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
import zarr
from anndata import AnnData
from scipy import ndimage
from scipy.spatial import cKDTree
from shared_data import shared
from sklearn.metrics import adjusted_rand_score, f1_score
from study import REPOSITORY, Study

from isthmus.fetch import fetch

pytestmark = pytest.mark.slow

MARKERS = 12
STEINBOCK_OBJECTS = 55
MIBI_CELLS = 700


@dataclass(frozen=True)
class Slide:
    """The finished demo, its truth, and the true cell nearest to each cell of the cohort."""

    results: Path
    cohort: AnnData
    truth: pd.DataFrame
    image: np.ndarray
    true_cells: np.ndarray
    nearest: np.ndarray
    distance_um: np.ndarray


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Slide:
    """The demo, cut into nine blocks."""
    data = fetch("spatial_proteomics_made", into=tmp_path_factory.mktemp("made"))
    options = yaml.safe_load((REPOSITORY / "config" / "spatial_proteomics.yaml").read_text())
    options["samples"] = str(data / "samples.tsv")
    options["image"]["panel"] = str(data / "panel.csv")
    options["analysis"]["gating"]["gates"] = str(data / "gates.csv")
    options["execution"] = {"block_px": 256}
    study = Study(tmp_path_factory.mktemp("slide") / "study", [], options)
    ended = study.run()
    assert ended.code == 0, ended.text
    cohort = anndata.read_h5ad(study.results / "cohort" / "cells.h5ad")
    truth = pd.read_csv(data / "truth" / "cells.csv")
    distance, nearest = cKDTree(truth[["x_um", "y_um"]]).query(cohort.obsm["spatial"])
    return Slide(
        results=study.results,
        cohort=cohort,
        truth=truth,
        image=tifffile.imread(data / "slide.ome.tif"),
        true_cells=tifffile.imread(data / "truth" / "cells.ome.tif"),
        nearest=nearest,
        distance_um=distance,
    )


def test_cells_are_found_where_they_are(slide: Slide) -> None:
    """A flip, a shift of half a pixel or another pixel size would show."""
    assert len(slide.truth) == 1546
    assert slide.cohort.n_obs == 1523
    assert np.median(slide.distance_um) < 0.35
    assert (slide.distance_um < 3).mean() > 0.98
    assert len(np.unique(slide.nearest)) == slide.cohort.n_obs
    true = slide.truth[["x_um", "y_um"]].to_numpy()[slide.nearest]
    assert np.abs((slide.cohort.obsm["spatial"] - true).mean(axis=0)).max() < 0.05
    labels = compare.labels(slide.results, "cells", "slide1")
    pairs = np.stack([labels.ravel(), slide.true_cells.ravel()])[:, (labels > 0).ravel()]
    both, n = np.unique(pairs, axis=1, return_counts=True)
    areas, true_areas = np.bincount(labels.ravel()), np.bincount(slide.true_cells.ravel())
    overlap = n / (areas[both[0]] + true_areas[both[1]] - n)
    hits = ((overlap > 0.5) & (both[1] > 0)).sum()
    f1 = 2 * hits / ((areas[1:] > 0).sum() + len(slide.truth))
    assert f1 > 0.975


def test_values_are_the_means_of_the_pixels(slide: Slide) -> None:
    table = anndata.read_h5ad(slide.results / "slide1" / "cells.h5ad")
    labels = compare.labels(slide.results, "cells", "slide1")
    assert table.n_vars == MARKERS
    assert "Blank" not in table.var_names
    assert table.var["role"].value_counts()["lineage"] == 8
    ids = table.obs["instance_id"].to_numpy()
    for place, marker in enumerate(table.var_names):
        wanted = ndimage.mean(slide.image[place], labels, ids)
        np.testing.assert_allclose(table.X[:, place], wanted, rtol=1e-6, err_msg=marker)
    assert table.obs["qc_pass"].all()
    assert (table.obs["nuclear_signal"] > 300).all()
    np.testing.assert_allclose(table.obs["total_intensity"], table.X.sum(axis=1), rtol=1e-6)


def test_nuclei_were_looked_for_in_the_sum_of_their_channels(slide: Slide) -> None:
    stored = zarr.open_array(slide.results / "slide1" / "image.ome.zarr" / "0", mode="r")[-1]
    assert np.array_equal(stored.reshape(slide.image.shape[1:]), slide.image[0].astype(int) + slide.image[1])
    settings = slide.cohort.uns["isthmus"]["samples"]["slide1"]["parameters"]
    assert '"channel": "DAPI + HistoneH3"' in settings
    assert '"channel": "NaKATPase"' in settings


def test_types_are_the_true_ones(slide: Slide) -> None:
    true = slide.truth["cell_type"].to_numpy()[slide.nearest]
    found = slide.cohort.obs["cell_type"].astype(str).to_numpy()
    assert (found == true).mean() == pytest.approx(0.985, abs=0.005)
    assert (found == "unassigned").mean() < 0.02
    assert f1_score(true, found, average="macro", labels=sorted(set(true))) > 0.985
    clusters = slide.cohort.obs["leiden"].astype(str).to_numpy()
    assert adjusted_rand_score(true, clusters) > 0.85
    gates = slide.cohort.uns["gates"]
    assert gates["separated"].all()
    assert len(gates) == 8


def test_spill_over_is_found(slide: Slide) -> None:
    found = slide.cohort.uns["crosstalk"].set_index(["marker", "into"])["share"]
    for pair, share in ((("CD3", "CD4"), 0.08), (("CD45", "CD20"), 0.05), (("PanCK", "Vimentin"), 0.04)):
        assert found[pair] == pytest.approx(share, abs=0.015)
    light = slide.cohort.uns["neighbour_light"].set_index("marker")
    assert 0.1 < light.loc["CD20", "explained"] < 0.5


def test_raw_intensities_and_what_the_report_shows(slide: Slide) -> None:
    raw = slide.cohort.layers["intensities"]
    assert raw.min() > 50
    np.testing.assert_allclose(slide.cohort.X.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(slide.cohort.X.std(axis=0), 1, atol=1e-3)
    means = slide.cohort.uns["marker_means"].set_index("cell_type")
    assert means.loc["B cell"].idxmax() == "CD20"
    assert means.loc["tumour"].idxmax() == "PanCK"
    page = (slide.results / "report.html").read_text()
    for words in ('id="proteins"', 'id="gates"', 'id="spillover"', "rules of the marker table gates.csv"):
        assert words in page
    assert "transcripts per cell" not in page


@pytest.fixture(scope="module")
def cytometry(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two real acquisitions of cytomapper with the cells that came with them, as far as their tables."""
    data = shared("imc_cytomapper")
    folder = tmp_path_factory.mktemp("imc") / "study"
    folder.mkdir()
    (folder / "panel.csv").write_text(
        "marker,role\nH3,nuclear\nCD99,lineage\nPIN,lineage\nCD8a,lineage\nCDH,membrane\n"
    )
    rows = [
        {
            "sample": name,
            "image": str(data / f"{name}_imc.tiff"),
            "labels": str(data / f"{name}_mask.tiff"),
            "pixel_size_um": "1",
        }
        for name in ("E34", "J02")
    ]
    options = {
        "use_case": "spatial_proteomics",
        "image": {"panel": str(folder / "panel.csv"), "steps_per_unit": 100.0},
        "segmentation": {"method": "labels", "labels": {"show": "cells"}},
    }
    study = Study(folder, rows, options)
    ended = study.run(until=["E34/cells.h5ad", "J02/cells.h5ad"])
    assert ended.code == 0, ended.text
    return study


@pytest.mark.parametrize(("name", "n_cells"), [("E34", 113), ("J02", 127)])
def test_real_mass_cytometry_with_its_own_cells(cytometry: Study, name: str, n_cells: int) -> None:
    data = shared("imc_cytomapper")
    table = anndata.read_h5ad(cytometry.results / name / "cells.h5ad")
    image, mask = (tifffile.imread(data / f"{name}_{what}.tiff") for what in ("imc", "mask"))
    ids = np.unique(mask)[1:]
    assert table.obs["instance_id"].tolist() == ids.tolist()
    assert table.n_obs == n_cells
    assert table.var_names.tolist() == ["H3", "CD99", "PIN", "CD8a", "CDH"]
    wanted = np.stack([ndimage.mean(channel.astype(float), mask, ids) for channel in image], axis=1)
    assert np.abs(table.X - wanted).max() <= 0.005, "half a step of a hundredth of a count"
    assert np.abs(table.X - wanted).max() > 1e-5, "they are stored in steps"
    np.testing.assert_array_equal(table.obs["area_um2"], ndimage.sum(mask > 0, mask, ids))
    y, x = np.array(ndimage.center_of_mass(mask > 0, mask, ids)).T + 0.5
    np.testing.assert_allclose(table.obsm["spatial"], np.column_stack([x, y]))


def test_a_real_text_export_becomes_cells(tmp_path: Path) -> None:
    data = shared("imc_imcrtools")
    (text,) = (data / "raw").glob("*ROI_001_1.txt")
    rows = [{"sample": "roi1", "image": str(text), "reader": "imc"}]
    options = {
        "use_case": "spatial_proteomics",
        "image": {"panel": str(data / "steinbock" / "panel.csv")},
    }
    study = Study(tmp_path / "study", rows, options)
    ended = study.run(until=["roi1/cells.h5ad"])
    assert ended.code == 0, ended.text
    table = anndata.read_h5ad(study.results / "roi1" / "cells.h5ad")
    assert table.n_obs == 79
    assert STEINBOCK_OBJECTS / 2 < table.n_obs < STEINBOCK_OBJECTS * 2
    # the mean cell of both pipelines, which part nuclei differently, in counts
    theirs = pd.read_csv(next((data / "steinbock" / "intensities").glob("*mockData2_001.csv")))
    for marker in ("Ag107", "Laminin", "YBX1", "H3K27Ac"):
        ours = table.X[:, table.var_names.get_loc(marker)].mean()
        assert ours == pytest.approx(theirs[marker].mean(), rel=0.2), marker


def test_a_real_qptiff_becomes_cells(tmp_path: Path) -> None:
    path = shared("pathml_vectra") / "small_vectra.qptiff"
    study = Study(
        tmp_path / "study", [{"sample": "core", "image": str(path)}], {"use_case": "spatial_proteomics"}
    )
    ended = study.run(until=["core/cells.h5ad"])
    assert ended.code == 0, ended.text
    table = anndata.read_h5ad(study.results / "core" / "cells.h5ad")
    assert table.var_names.tolist() == ["DAPI", "FITC", "Cy3"]
    assert table.n_obs == 3684
    labels = compare.labels(study.results, "cells", "core")
    wanted = ndimage.mean(tifffile.imread(path)[0], labels, table.obs["instance_id"])
    np.testing.assert_allclose(table.X[:, 0], wanted, rtol=1e-6)
    assert table.obs["nucleus_area_um2"].median() == pytest.approx(32.3, abs=0.1)


def test_a_real_mibi_field_becomes_cells(tmp_path: Path) -> None:
    folder = shared("mibi_simpleseg") / "Point2203_pt1072_31606"
    panel = tmp_path / "panel.csv"
    markers = {"HH3": "nuclear", "Nuc": "nuclear", "ECAD": "membrane", "CD45": "lineage", "PanKRT": "lineage"}
    panel.write_text("channel,marker,role\n" + "".join(f"{m},{m},{role}\n" for m, role in markers.items()))
    rows = [{"sample": "field", "image": str(folder), "reader": "tiff_folder", "pixel_size_um": "0.488"}]
    options = {"use_case": "spatial_proteomics", "image": {"panel": str(panel)}}
    study = Study(tmp_path / "study", rows, options)
    ended = study.run(until=["field/cells.h5ad"])
    assert ended.code == 0, ended.text
    table = anndata.read_h5ad(study.results / "field" / "cells.h5ad")
    assert table.var_names.tolist() == list(markers)
    assert table.n_obs == MIBI_CELLS
    labels = compare.labels(study.results, "cells", "field")
    for marker in markers:
        wanted = ndimage.mean(tifffile.imread(folder / f"{marker}.tif"), labels, table.obs["instance_id"])
        found = table.X[:, table.var_names.get_loc(marker)]
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)
