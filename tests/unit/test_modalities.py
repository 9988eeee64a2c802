"""The modalities of a sample's cells: what the library that defines the file reads, and what verify says of it."""

import warnings

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from isthmus.config.use_cases import USE_CASES
from isthmus.tables import modalities
from isthmus.tables.modalities import join_modalities
from isthmus.verify.modalities import faults_of_modalities

N = 300


def make_table(path, *, n=N, genes=("G1", "G2", "G3"), frames=("intensity", "shape", "texture")):
    """A table of cells as quality control leaves it; some measures of some cells are missing."""
    rng = np.random.default_rng(0)
    index = pd.Index([f"s-{i}" for i in range(1, n + 1)], name="cell", dtype=object)
    counts = csr_matrix(rng.poisson(0.8, (n, len(genes))).astype(np.int32))
    obs = pd.DataFrame({"instance_id": np.arange(1, n + 1), "qc_pass": rng.random(n) < 0.9}, index=index)
    obs["sample"] = pd.Categorical(["s"] * n)
    obs["qc_reason"] = pd.Categorical(np.where(obs["qc_pass"], "", "min_counts"))
    table = anndata.AnnData(counts, obs, pd.DataFrame({"n_cells": 1}, index=list(genes)))
    table.layers["counts"] = counts.copy()
    table.obsm["spatial"] = rng.random((n, 2))
    table.obsm["controls"] = pd.DataFrame({"Blank-1": np.zeros(n, np.int32)}, index=index)
    for frame in frames:
        values = rng.normal(size=(n, 4)) * 100
        values[:: max(1, n // 7), 1] = np.nan
        table.obsm[frame] = pd.DataFrame(values, index=index, columns=[f"{frame}_{k}" for k in range(4)])
    table.uns["isthmus"] = {"version": "0", "parameters": "{}"}
    table.write_h5ad(path, compression="gzip")
    return table


@pytest.fixture(autouse=True)
def new_ways():
    """As mudata 0.4 will do: obs of the whole is what the file holds, not gathered anew."""
    with mudata.set_options(pull_on_update=False):
        yield


@pytest.fixture
def made(tmp_path):
    table = make_table(tmp_path / "cells.h5ad")
    features = join_modalities(tmp_path / "cells.h5ad", tmp_path / "cells.h5mu", main="rna")
    assert features == {"rna": 3, "intensity": 4, "shape": 4, "texture": 4}
    return tmp_path, table


def faults(folder, main="rna"):
    return [
        str(fault)
        for fault in faults_of_modalities(folder / "cells.h5ad", folder / "cells.h5mu", main, "a/cells.h5mu")
    ]


@pytest.mark.parametrize("buffer", [1 << 24, 64])
def test_the_library_reads_what_the_table_holds(tmp_path, monkeypatch, buffer):
    monkeypatch.setattr(modalities, "_BUFFER_BYTES", buffer)
    table = make_table(tmp_path / "cells.h5ad")
    join_modalities(tmp_path / "cells.h5ad", tmp_path / "cells.h5mu", main="rna")
    read = mudata.read_h5mu(tmp_path / "cells.h5mu")
    assert list(read.mod) == ["rna", "intensity", "shape", "texture"]
    pd.testing.assert_frame_equal(read.obs, table.obs)
    assert read.var_names.tolist() == [name for of in read.mod.values() for name in of.var_names]
    for name, of in read.mod.items():
        assert of.obs_names.tolist() == table.obs_names.tolist()
        assert of.obs.columns.tolist() == ["instance_id", "qc_pass"]
        np.testing.assert_array_equal(of.obsm["spatial"], table.obsm["spatial"])
        if name != "rna":
            np.testing.assert_array_equal(of.X, table.obsm[name].to_numpy())
            assert of.var_names.tolist() == table.obsm[name].columns.tolist()
    rna = read.mod["rna"]
    assert (rna.X != table.X).nnz == (rna.layers["counts"] != table.X).nnz == 0
    assert rna.X.dtype == np.int32
    pd.testing.assert_frame_equal(rna.var, table.var)
    pd.testing.assert_frame_equal(rna.obsm["controls"], table.obsm["controls"])
    assert rna.uns["isthmus"]["version"] == "0"
    assert faults(tmp_path) == []


def test_the_file_is_laid_out_as_the_library_lays_it_out(made):
    folder, _ = made
    read = mudata.read_h5mu(folder / "cells.h5mu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mudata.MuData({name: of.copy() for name, of in read.mod.items()}).write(folder / "theirs.h5mu")
    with h5py.File(folder / "cells.h5mu") as mine, h5py.File(folder / "theirs.h5mu") as theirs:
        assert set(mine) == set(theirs)
        for part in ("obsm", "obsmap", "varm", "varmap"):
            for name in theirs[part]:
                np.testing.assert_array_equal(mine[part][name], theirs[part][name], err_msg=f"{part}/{name}")
                assert mine[part][name].dtype == theirs[part][name].dtype
        for name in theirs["mod"]:
            assert set(mine["mod"][name]) == set(theirs["mod"][name])
            assert dict(mine["mod"][name].attrs).items() >= {
                ("encoding-type", theirs["mod"][name].attrs["encoding-type"]),
                ("encoding-version", theirs["mod"][name].attrs["encoding-version"]),
            }
        assert list(mine["mod"].attrs["mod-order"]) == list(theirs["mod"].attrs["mod-order"])
        for name in ("axis", "encoding-type", "encoding-version"):
            assert mine.attrs[name] == theirs.attrs[name]


def test_cells_are_selected_in_all_modalities_together(made):
    folder, table = made
    read = mudata.read_h5mu(folder / "cells.h5mu")
    passed = read[read.obs["qc_pass"].to_numpy(bool)].copy()
    assert passed.n_obs == table.obs["qc_pass"].sum()
    np.testing.assert_array_equal(
        passed["shape"].X, table.obsm["shape"].to_numpy()[table.obs["qc_pass"].to_numpy(bool)]
    )


def test_what_the_table_holds_once_is_there_once(tmp_path):
    """Where X repeats columns of a frame, as intensities of markers do, they stand in X only."""
    make_table(tmp_path / "cells.h5ad", genes=("intensity_0", "intensity_2"), frames=("intensity", "shape"))
    features = join_modalities(tmp_path / "cells.h5ad", tmp_path / "cells.h5mu", main="proteins")
    assert features == {"proteins": 2, "intensity": 2, "shape": 4}
    assert faults(tmp_path, "proteins") == []
    whole = [f"intensity_{k}" for k in range(4)]
    make_table(tmp_path / "cells.h5ad", genes=whole, frames=("intensity", "shape"))
    assert join_modalities(tmp_path / "cells.h5ad", tmp_path / "cells.h5mu", main="channels") == {
        "channels": 4,
        "shape": 4,
    }
    assert mudata.read_h5mu(tmp_path / "cells.h5mu").var_names.is_unique


@pytest.mark.parametrize("n", [0, 1])
def test_samples_of_few_cells_are_written_too(tmp_path, n):
    make_table(tmp_path / "cells.h5ad", n=n)
    join_modalities(tmp_path / "cells.h5ad", tmp_path / "cells.h5mu", main="rna")
    assert mudata.read_h5mu(tmp_path / "cells.h5mu").shape == (n, 15)
    assert faults(tmp_path) == []


def test_each_use_case_names_its_modality():
    names = {case.name: case.modality for case in USE_CASES.values()}
    assert names["imaging_transcriptomics"] == "rna"
    assert names["spatial_proteomics"] == "proteins"
    assert not set(names.values()) & set(modalities.FRAMES)


def test_nothing_is_left_of_a_file_that_cannot_be_made(tmp_path):
    (tmp_path / "cells.h5ad").write_bytes(b"no table")
    with pytest.raises(OSError, match="signature"):
        join_modalities(tmp_path / "cells.h5ad", tmp_path / "cells.h5mu", main="rna")
    assert [path.name for path in tmp_path.iterdir()] == ["cells.h5ad"]


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lambda f: f.__delitem__("mod/shape"), "it has the modalities intensity, rna, texture, the table"),
        (
            lambda f: f["mod/texture/X"].__setitem__((5, 2), -1.0),
            "modality texture has other values than obsm",
        ),
        (lambda f: f["mod/shape/X"].__setitem__((0, 1), 0.0), "modality shape has other values"),
        (lambda f: f["mod/rna/X/data"].__setitem__(7, 99), "modality rna has other values than X"),
        (lambda f: f["mod/rna/var/_index"].__setitem__(0, "G9"), "modality rna has other features"),
        (lambda f: f["mod/shape/var/_index"].__setitem__(0, "size"), "modality shape has other features"),
        (lambda f: f["obs/cell"].__setitem__(3, "s-99"), "it has other cells than the table"),
        (lambda f: f["mod/intensity/obs/cell"].__setitem__(3, "s-99"), "modality intensity has other cells"),
        (lambda f: f.__delitem__("mod"), "it cannot be read as MuData"),
    ],
)
def test_verify_names_what_differs(made, harm, found):
    folder, _ = made
    with h5py.File(folder / "cells.h5mu", "r+") as file:
        harm(file)
    (fault,) = faults(folder)
    assert fault.startswith(f"a/cells.h5mu: {found}")
    assert "delete it" in fault


def test_verify_names_a_file_of_other_cells(made):
    folder, _ = made
    make_table(folder / "cells.h5ad", n=N - 1)
    assert faults(folder)[0].startswith("a/cells.h5mu: it has 300 cells, the table 299")
