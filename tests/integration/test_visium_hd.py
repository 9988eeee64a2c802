"""Visium HD: bins of a generated section go to the nuclei that are found below them, in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
import zarr
from scipy.sparse import csc_matrix
from scipy.spatial import cKDTree
from study import REPOSITORY, Study

from isthmus.fetch import fetch

pytestmark = pytest.mark.slow


SQUARE = "outs/binned_outputs/square_002um"


@dataclass(frozen=True)
class Made:
    """The demo's data, its sample up to the table, and what is true of it."""

    data: Path
    sample: Path
    cells: anndata.AnnData
    nuclei: pd.DataFrame
    counts: pd.DataFrame


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("hd")
    data = fetch("visium_hd_made", into=folder / "data")
    options = yaml.safe_load((REPOSITORY / "config" / "visium_hd.yaml").read_text())
    del options["samples"], options["results"]
    options |= {"execution": {"block_px": 256}, "cells": {"expand_um": 2.0}}
    row = {"sample": "section", "image": str(data / "image.tif"), "counts": str(data / "outs")}
    study = Study(folder / "study", [row], options)
    ended = study.run(until=["section/cells.h5mu"])
    assert ended.code == 0, ended.text
    truth = [pd.read_csv(data / f"truth/{name}.csv", index_col=0) for name in ("nuclei", "counts")]
    sample = study.results / "section"
    return Made(data, sample, anndata.read_h5ad(sample / "cells.h5ad"), *truth)


def test_a_cell_has_what_lies_in_the_bins_whose_centres_it_covers(made: Made) -> None:
    """Counted without Isthmus, from the files and the label image, which twelve blocks have made."""
    labels = zarr.open_array(made.sample / "image.ome.zarr/labels/cells/0", mode="r")[:]
    with h5py.File(made.data / SQUARE / "filtered_feature_bc_matrix.h5") as file:
        group = file["matrix"]
        parts = tuple(group[name][:] for name in ("data", "indices", "indptr"))
        counts = csc_matrix(parts, shape=group["shape"][:]).T.toarray()
        barcodes, genes = group["barcodes"][:].astype(str), group["features/name"][:].astype(str)
    places = pq.read_table(made.data / SQUARE / "spatial/tissue_positions.parquet").to_pandas()
    places = places.set_index("barcode").loc[barcodes]
    row, column = (
        np.floor(places[f"pxl_{axis}_in_fullres"].to_numpy() + 0.5).astype(int) for axis in ("row", "col")
    )
    expected = np.zeros((labels.max() + 1, len(genes)), dtype=np.int64)
    np.add.at(expected, labels[row, column], counts)
    ids = made.cells.obs["instance_id"].to_numpy()
    assert np.array_equal(made.cells.to_df("counts")[genes].to_numpy(), expected[ids])
    assert expected[ids].sum() == expected[1:].sum()


def test_molecules_are_those_of_the_bins(made: Made) -> None:
    table = pq.read_table(made.sample / "transcripts.parquet").to_pandas()
    with h5py.File(made.data / SQUARE / "filtered_feature_bc_matrix.h5") as file:
        assert len(table) == file["matrix/data"][:].sum()
    assert (table["instance_id"] > 0).sum() == made.cells.obs["n_counts"].sum()
    assert set(table["compartment"]) == {"nucleus", "cytoplasm", "none"}


def test_nuclei_found_here_have_the_counts_of_the_true_ones(made: Made) -> None:
    distance, nearest = cKDTree(made.cells.obsm["spatial"]).query(made.nuclei[["x_um", "y_um"]])
    assert (distance < 1).mean() > 0.98
    assert made.cells.n_obs == pytest.approx(len(made.nuclei), rel=0.02)
    ours = made.cells.layers["nucleus_counts"].sum(axis=1)
    assert np.corrcoef(np.asarray(ours).ravel()[nearest], made.counts.sum(axis=1))[0, 1] > 0.98
    kinds = made.cells.to_df("counts").T.groupby(lambda gene: gene[:3]).sum().T
    is_tumour = (made.nuclei["kind"] == "tumour").to_numpy()
    seen = made.counts.sum(axis=1).to_numpy() > 50
    found = (kinds["TUM"] > kinds["STR"]).to_numpy()[nearest]
    assert np.array_equal(found[seen], is_tumour[seen])


def test_genes_are_a_modality_beside_the_stains(made: Made) -> None:
    with h5py.File(made.sample / "cells.h5mu") as file:
        assert {"rna", "intensity"} <= set(file["mod"])
    assert not (made.sample / "spots.h5ad").exists()
