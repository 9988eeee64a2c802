"""What is told of samples and wells from their cells, against pandas on the whole tables."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from isthmus.tables import unit_features
from isthmus.tables.unit_features import composition, count_cells, image_medians, in_order, pseudobulk


def make(folder, name, n, genes, *, wells=(), counts=True, frames=True):
    rng = np.random.default_rng(len(name) + n)
    index = pd.Index([f"{name}-{i}" for i in range(1, n + 1)], dtype=object)
    obs = pd.DataFrame({"qc_pass": rng.random(n) < 0.7, "sample": pd.Categorical([name] * n)}, index=index)
    if wells:
        obs["well"] = pd.Categorical(np.array(wells)[np.arange(n) % len(wells)])
    x = csr_matrix(rng.poisson(1.0, (n, len(genes))).astype(np.int32))
    table = anndata.AnnData(x, obs, pd.DataFrame(index=list(genes)))
    if counts:
        table.layers["counts"] = x.copy()
    if frames:
        values = rng.normal(size=(n, 3))
        values[:1, 0] = np.nan
        columns = ["DAPI_mean_cell", f"{name}_only", "DAPI_std_cell"]
        table.obsm["intensity"] = pd.DataFrame(values, index, columns)
        shape = ["area_um2_cell", "centroid_x_um_cell", "y_min_px_cell", "orientation_rad_nucleus"]
        table.obsm["shape"] = pd.DataFrame(rng.random((n, 4)), index, shape)
    table.write_h5ad(folder / f"{name}.h5ad")
    return table


@pytest.fixture
def two(tmp_path, monkeypatch):
    monkeypatch.setattr(unit_features, "_ENTRIES", 37)
    made = {
        "a": make(tmp_path, "a", 60, ["G1", "G2", "G3"], wells=("A1", "B2")),
        "b": make(tmp_path, "b", 45, ["G3", "G1"], wells=("A1",)),
    }
    return {name: tmp_path / f"{name}.h5ad" for name in made}, made


@pytest.mark.parametrize("unit", ["sample", "well"])
def test_medians_and_sums_are_those_of_the_passing_cells(two, unit):
    paths, made = two
    medians, sums = image_medians(paths, unit), pseudobulk(paths, unit)
    assert medians.columns.tolist() == ["DAPI_mean_cell", "DAPI_std_cell", "area_um2_cell"]
    assert sums.columns.tolist() == ["G1", "G3"]
    units = {"sample": ["a", "b"], "well": ["a-A1", "a-B2", "b-A1"]}[unit]
    counted = count_cells(paths, unit)
    assert counted.index.tolist() == units == in_order(medians, units).index.tolist()
    for name in units:
        sample, _, well = name.partition("-")
        table = made[sample]
        here = table.obs["qc_pass"] & ((table.obs["well"] == well) if well else True)
        mine = table[here.to_numpy(bool)]
        assert medians.loc[name, "area_um2_cell"] == mine.obsm["shape"]["area_um2_cell"].median()
        assert medians.loc[name, "DAPI_mean_cell"] == mine.obsm["intensity"]["DAPI_mean_cell"].median()
        assert sums.loc[name].tolist() == mine.to_df()[["G1", "G3"]].sum().tolist()
        assert counted.loc[name, "n_passed"] == here.sum()
        assert counted.loc[name, "sample"] == sample


def test_composition_counts_types_else_clusters(tmp_path):
    obs = pd.DataFrame({"sample": ["a", "a", "b"], "leiden": ["0", "1", "1"]}, index=["a-1", "a-2", "b-1"])
    anndata.AnnData(np.zeros((3, 1)), obs.astype("category")).write_h5ad(tmp_path / "c.h5ad")
    found = composition(tmp_path / "c.h5ad", "sample")
    assert found.to_dict("index") == {
        "a": {"cluster 0": 1, "cluster 1": 1},
        "b": {"cluster 0": 0, "cluster 1": 1},
    }
    assert composition(tmp_path / "c.h5ad", "well").empty
    obs["cell_type"] = ["T", "B", "T"]
    obs["well"] = "A1"
    anndata.AnnData(np.zeros((3, 1)), obs.astype("category")).write_h5ad(tmp_path / "c.h5ad")
    assert composition(tmp_path / "c.h5ad", "well").loc["a-A1"].to_dict() == {"B": 1, "T": 1}


def test_what_a_sample_lacks_is_left_out(tmp_path):
    make(tmp_path, "a", 20, ["G1"], counts=False, frames=False)
    paths = {"a": tmp_path / "a.h5ad"}
    assert image_medians(paths, "sample").empty
    assert pseudobulk(paths, "sample").empty
    assert count_cells(paths, "well").empty
    make(tmp_path, "b", 0, ["G1"])
    counted = count_cells({**paths, "b": tmp_path / "b.h5ad"}, "sample")
    assert counted["n_cells"].to_dict() == {"a": 20, "b": 0}
    assert pseudobulk({"b": tmp_path / "b.h5ad"}, "sample").empty
