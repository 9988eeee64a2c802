"""The generated region of MERSCOPE and export of CosMx: whole, the same everywhere, and true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from isthmus.config.load import load_settings
from isthmus.config.samples import read_samples
from isthmus.fetch.fetch import fetch
from isthmus.image.source import SampleParts
from isthmus.readers.registry import read_sample
from isthmus.segment.polygons import PolygonLabels, store_polygons

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture(scope="module", params=["merscope", "cosmx"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A data set; its checksums are held against the catalogue."""
    return request.param, fetch(f"{request.param}_made", into=tmp_path_factory.mktemp(request.param))


def parts_of(folder: Path) -> SampleParts:
    first, second = read_samples(folder / "samples.tsv")
    assert second.segmentation == "labels"
    return read_sample(first)


def under(parts: SampleParts, folder: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """The vendor's label under each transcript, 0 outside of the image."""
    header = parts.image.header
    table = pd.concat([batch.to_pandas() for batch in parts.points.batches(1 << 20)], ignore_index=True)
    column, row = header.affine.to_px(table["x_um"].to_numpy(), table["y_um"].to_numpy())
    whole = tuple(slice(0, n) for n in header.shape[1:])
    if parts.polygons:
        store_polygons(parts.polygons, folder, affine=header.affine, shape=header.shape[1:], where="row 2")
        labels = PolygonLabels(folder).read(0, whole)[0]
    else:
        labels = parts.labels.open().read(0, whole)[0]
    return labels[row.astype(int), column.astype(int)], table


def test_the_vendors_cells_lie_under_their_transcripts(made, tmp_path):
    name, folder = made
    found, table = under(parts_of(folder), tmp_path / "p")
    vendor = table["vendor_cell_id"].astype(object).fillna("0").astype("int64").to_numpy()
    agreed = (found == vendor).mean()
    # Outlines of 32 corners are a little smaller than the ellipses, and a pixel goes whole to a cell.
    assert agreed == 1.0 if name == "cosmx" else agreed > 0.995


def test_the_truth_lies_beside_the_region(made, tmp_path):
    name, folder = made
    cells = pd.read_csv(folder / "truth" / "cells.csv")
    assert set(cells["cell_type"]) == {"epithelium", "stroma", "immune"}
    if name != "merscope":
        return
    truth = pd.read_csv(folder / "truth" / "transcripts.csv")
    parts = parts_of(folder)
    assert parts.n_vendor_cells == len(cells) == 137
    _, table = under(parts, tmp_path / "p")
    assert len(truth) == len(table)
    held = truth["inside"][truth["inside"] > 0].value_counts()
    assert held.reindex(cells["cell"]).tolist() == cells["molecules"].tolist()
    leaked = (truth["made_by"] > 0) & (truth["made_by"] != truth["inside"])
    assert leaked.sum() / (truth["made_by"] > 0).sum() == pytest.approx(0.02, abs=0.005)


def test_the_demos_configuration_names_genes_that_are_there(made):
    name, folder = made
    given = yaml.safe_load((CONFIG / f"{name}.yaml").read_text())
    assert given["samples"] == f"../.cache/isthmus/data/{name}_made/samples.tsv"
    settings = load_settings([CONFIG / f"{name}.yaml"], overrides={"samples": str(folder / "samples.tsv")})
    parts = parts_of(folder)
    assert settings.segmentation.basins.channel in parts.image.header.channels
    genes = set().union(
        *(batch.column("gene").dictionary.to_pylist() for batch in parts.points.batches(1 << 20))
    )
    assert {gene for pair in settings.analysis.quality.exclusive_markers for gene in pair.split(":")} <= genes
