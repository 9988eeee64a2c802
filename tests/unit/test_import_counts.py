"""Samples of dissociated cells: table, mitochondria, doublets."""

import anndata
import numpy as np
import pandas as pd
import pytest
from analyse_cells import table_of
from scipy import sparse

from isthmus.analyse.doublets import score_doublets
from isthmus.analyse.import_counts import cells_of, import_counts
from isthmus.analyse.quality import mark_quality
from isthmus.errors import UserError
from isthmus.fetch.made import single_cell


def counted(values, *, types=None):
    var = pd.DataFrame(
        {"gene_id": [f"E{i}" for i in range(len(values[0]))]}, index=[*"abcde"][: len(values[0])]
    )
    if types is not None:
        var["feature_type"] = types
    obs = pd.DataFrame(
        {"cluster": list(range(len(values))), "sample": "theirs"}, index=[f"B{i}" for i in range(len(values))]
    )
    return anndata.AnnData(X=sparse.csr_matrix(np.array(values, dtype=np.int32)), obs=obs, var=var)


def test_barcodes_with_counts_become_cells_in_the_order_of_the_file():
    made = cells_of(counted([[1, 0], [0, 0], [2, 3]]), sample="s", columns={"batch": "b1"}, where="f")
    assert made.obs_names.tolist() == ["s-1", "s-3"]
    assert made.obs["barcode"].tolist() == ["B0", "B2"]
    assert made.obs["n_counts"].tolist() == [1, 5]
    assert made.obs["batch"].tolist() == ["b1", "b1"]
    assert made.obs["cluster"].tolist() == [0, 2]
    assert set(made.obs["sample"]) == {"s"}
    assert made.layers["counts"].toarray().tolist() == [[1, 0], [2, 3]]
    assert made.var["gene_id"].tolist() == ["E0", "E1"]


def test_antibodies_are_no_genes():
    types = ["Gene Expression", "Antibody Capture"]
    made = cells_of(counted([[1, 9], [0, 5]], types=types), sample="s", columns={}, where="f")
    assert made.var_names.tolist() == ["a"]
    assert made.obs_names.tolist() == ["s-1"]
    assert made.obsm["features"]["b"].tolist() == [9]


def test_a_table_of_nothing_is_told():
    with pytest.raises(UserError, match="all 2 barcodes are empty"):
        cells_of(counted([[0, 0], [0, 0]]), sample="s", columns={}, where="f")
    with pytest.raises(UserError, match="no feature of type 'Gene Expression'"):
        cells_of(counted([[1], [2]], types=["Antibody Capture"]), sample="s", columns={}, where="f")


def test_the_step_writes_the_table_and_its_numbers(tmp_path):
    counted([[1, 0], [2, 3]]).write_h5ad(tmp_path / "c.h5ad")
    numbers = import_counts(
        tmp_path / "c.h5ad", tmp_path / "o.h5ad", sample="s", columns={}, record={"version": "1"}
    )
    assert numbers == {"n_cells": 2, "n_genes": 2, "n_counts": 6}
    assert anndata.read_h5ad(tmp_path / "o.h5ad").uns["isthmus"]["version"] == "1"


def test_mitochondrial_shares_are_measured_and_bound():
    table = table_of([[8, 2], [5, 5], [0, 0]], genes=["ACTB", "MT-CO1"])
    mark_quality(table, min_counts=0, min_genes=0, max_mito_fraction=0.3)
    assert table.obs["mito_fraction"].tolist() == [0.2, 0.5, 0.0]
    assert table.obs["qc_reason"].tolist() == ["", "max_mito_fraction", ""]
    other = table_of([[8, 2]], genes=["ACTB", "mt:CoI"])
    mark_quality(other, min_genes=0, mito_pattern="^mt:")
    assert other.obs["mito_fraction"].tolist() == [0.2]


def test_a_pattern_that_no_gene_matches_is_told_only_where_it_matters():
    table = table_of([[8, 2]], genes=["ACTB", "GAPDH"])
    mark_quality(table, min_genes=0)
    assert "mito_fraction" not in table.obs
    with pytest.raises(UserError, match="no gene matches mito_pattern .* .genes: ACTB, GAPDH"):
        mark_quality(table, max_mito_fraction=0.1)


def test_doublets_of_known_cells_score_highest_and_scores_repeat():
    counts, _, second, _ = single_cell.draw(0, single_cell.SAMPLES[0], single_cell.profiles())
    tables = [table_of(counts, genes=single_cell.gene_names()) for _ in range(2)]
    bounds = [score_doublets(table, expected_rate=0.05) for table in tables]
    assert bounds[0] == bounds[1] is not None
    np.testing.assert_array_equal(tables[0].obs["doublet_score"], tables[1].obs["doublet_score"])
    called = tables[0].obs["doublet_score"].to_numpy() > bounds[0]
    assert called[second >= 0].mean() > 0.7
    assert called[second < 0].mean() < 0.03


def test_few_cells_have_no_score_and_no_bound():
    table = table_of(np.ones((20, 40)))
    assert score_doublets(table) is None
    assert table.obs["doublet_score"].isna().all()
