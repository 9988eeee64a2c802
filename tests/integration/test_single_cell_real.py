"""The use case single_cell on real cells, and its cohort as the reference of others: mouse hippocampus of known types.

The 510 cells (17 types x 30, 307 genes) are halved by cell. One half has the types that the data set gives them; the
run learns from it what the other half is, and the cohort that it makes then names the first half.
"""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from shared_data import shared
from sklearn.metrics import accuracy_score, adjusted_rand_score, f1_score
from study import ISTHMUS, command

from isthmus.analyse.annotate import transfer_types
from isthmus.analyse.reference_cells import read_cell_reference


@pytest.fixture(scope="session")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables of counts, as the file has them, and the types of all cells."""
    source, folder = shared("spacexr_visium_ref"), tmp_path_factory.mktemp("hippocampus")
    counts = pd.read_csv(source / "counts.csv", index_col=0)
    for name, part in (("known", counts.iloc[:, ::2]), ("asked", counts.iloc[:, 1::2])):
        part.to_csv(folder / f"{name}.csv")
    (folder / "types.csv").write_bytes((source / "cell_types.csv").read_bytes())
    (folder / "samples.tsv").write_text("sample\tcounts\tbatch\nasked\tasked.csv\tP60\n")
    annotation = {"reference": "known.csv", "reference_types": "types.csv"}
    tree = {"use_case": "single_cell", "samples": "samples.tsv", "analysis": {"annotation": annotation}}
    (folder / "config.yaml").write_text(yaml.safe_dump(tree))
    return folder


@pytest.fixture(scope="session")
def cohort(halves: Path) -> anndata.AnnData:
    out = halves / "out"
    words = [*ISTHMUS, "run", str(halves / "config.yaml"), "--cores", "2", "--set", f"results={out}"]
    ended = command(words, halves)
    assert ended.code == 0, ended.text
    return anndata.read_h5ad(out / "cohort" / "cells.h5ad")


@pytest.fixture(scope="session")
def types(halves: Path) -> pd.Series:
    return pd.read_csv(halves / "types.csv", index_col=0)["x"]


def macro_f1(truth: np.ndarray, named: np.ndarray) -> float:
    """Mean over the 17 types; what is unassigned is missed."""
    return float(f1_score(truth, named, average="macro", labels=sorted(set(truth)), zero_division=0))


@pytest.mark.slow
def test_counts_are_those_of_the_file(halves: Path, cohort: anndata.AnnData) -> None:
    given = pd.read_csv(halves / "asked.csv", index_col=0).T
    cells = anndata.read_h5ad(halves / "out" / "asked" / "cells.h5ad")
    assert cells.obs["barcode"].tolist() == given.index.tolist()
    assert (cells.to_df(layer="counts").to_numpy() == given[cells.var_names].to_numpy()).all()
    assert (cells.n_obs, cells.n_vars, int(cells.layers["counts"].sum())) == (255, 307, 164457)
    assert cohort.n_obs == int(cells.obs["qc_pass"].sum()) == 255


@pytest.mark.slow
def test_types_and_clusters_are_those_of_the_data_set(cohort: anndata.AnnData, types: pd.Series) -> None:
    truth = types[cohort.obs["barcode"].astype(str)].to_numpy()
    named = cohort.obs["cell_type"].astype(str).to_numpy()
    # measured: accuracy 0.902 (0.946 of those that are assigned), macro F1 0.921, unassigned 0.047, index 0.571
    assert accuracy_score(truth, named) == pytest.approx(0.902, abs=0.02)
    assert macro_f1(truth, named) == pytest.approx(0.921, abs=0.03)
    assert (named == "unassigned").mean() == pytest.approx(0.047, abs=0.02)
    clusters = cohort.obs["leiden"]
    assert adjusted_rand_score(truth, clusters) == pytest.approx(0.571, abs=0.08)
    sizes = clusters.value_counts(sort=False)
    assert 10 <= len(sizes) <= 15
    assert sizes.tolist() == sorted(sizes, reverse=True)


@pytest.mark.slow
def test_the_cohort_names_the_cells_that_it_was_not_made_of(
    halves: Path, cohort: anndata.AnnData, types: pd.Series
) -> None:
    reference = read_cell_reference(halves / "out" / "cohort" / "cells.h5ad")
    known = pd.read_csv(halves / "known.csv", index_col=0).T
    table = anndata.AnnData(obs=pd.DataFrame(index=known.index), var=pd.DataFrame(index=known.columns))
    table.layers["counts"] = sparse.csr_matrix(known.to_numpy())
    transfer_types(table, reference)
    truth, named = types[known.index].to_numpy(), table.obs["cell_type"].astype(str).to_numpy()
    assert (len(reference.labels), reference.types) == (
        243,
        sorted(set(types)),
    )  # unassigned cells are no examples
    # measured: accuracy 0.898, macro F1 0.904, from cells whose types were themselves told
    assert accuracy_score(truth, named) == pytest.approx(0.898, abs=0.02)
    assert macro_f1(truth, named) == pytest.approx(0.904, abs=0.03)
