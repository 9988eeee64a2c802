"""The use case single_cell end to end on its generated demo, against the truth that lies beside it."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score
from study import ISTHMUS, command

from isthmus.analyse.reference_cells import read_cell_reference
from isthmus.config.samples import read_samples
from isthmus.fetch.made import single_cell

CONFIG = Path(__file__).parents[2] / "config" / "single_cell.yaml"
SHEET = "sample\tcounts\tbatch\tcondition\n"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demo data and a sample sheet."""
    folder = tmp_path_factory.mktemp("single_cell")
    single_cell.make(folder)
    rows = []
    for sample in single_cell.SAMPLES:
        file = f"{sample.name}.csv" if sample.layout == "text" else sample.name
        rows.append(f"{sample.name}\t{file}\tb{sample.batch}\t{sample.condition}\n")
    (folder / "samples.tsv").write_text(SHEET + "".join(rows))
    return folder


def options(made: Path, results: Path) -> list[str]:
    values = {
        "samples": made / "samples.tsv",
        "analysis.annotation.reference": made / "profiles.csv",
        "results": results,
    }
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="session")
def results(made: Path) -> Path:
    folder = made / "out"
    ended = command([*ISTHMUS, "run", str(CONFIG), "--cores", "2", *options(made, folder)], made)
    assert ended.code == 0, ended.text
    return folder


@pytest.fixture(scope="session")
def truth(made: Path) -> pd.DataFrame:
    parts = [
        pd.read_csv(made / "truth" / f"{sample.name}.csv").assign(sample=sample.name)
        for sample in single_cell.SAMPLES
    ]
    return pd.concat(parts).set_index(["sample", "barcode"])


@pytest.mark.slow
def test_dying_cells_and_doublets_do_not_pass(results: Path, truth: pd.DataFrame) -> None:
    parts = [anndata.read_h5ad(results / sample.name / "cells.h5ad").obs for sample in single_cell.SAMPLES]
    obs = pd.concat(parts)
    assert len(obs) == 2520
    known = truth.loc[pd.MultiIndex.from_frame(obs[["sample", "barcode"]].astype(str))]
    passed = obs["qc_pass"].to_numpy()
    assert passed[known["dying"].to_numpy() == 1].mean() < 0.02
    assert passed[known["doublet"].to_numpy() == 1].mean() < 0.4
    fine = (known["dying"].to_numpy() == 0) & (known["doublet"].to_numpy() == 0)
    assert passed[fine].mean() > 0.97


@pytest.mark.slow
def test_types_clusters_and_batches_are_as_they_were_made(results: Path, truth: pd.DataFrame) -> None:
    cohort = anndata.read_h5ad(results / "cohort" / "cells.h5ad")
    known = truth.loc[pd.MultiIndex.from_frame(cohort.obs[["sample", "barcode"]].astype(str))]
    single = known["doublet"].to_numpy() == 0
    right = cohort.obs["cell_type"].astype(str).to_numpy() == known["cell_type"].to_numpy()
    assert right[single].mean() > 0.99
    assert adjusted_rand_score(known["cell_type"][single], cohort.obs["leiden"][single]) > 0.95
    mixing = cohort.uns["integration"].set_index("measure")
    assert mixing.loc["batch_lisi", "before"] < 0.1
    assert mixing.loc["batch_lisi", "after"] > 0.6
    assert mixing.loc["type_lisi", "after"] > 0.95


@pytest.mark.slow
def test_the_conditions_differ_where_they_were_made_to(results: Path) -> None:
    table = pd.read_csv(results / "cohort" / "composition.tsv", sep="\t").set_index("type")
    assert table["p_adjusted"].idxmin() == "macrophage"
    assert (table.loc[["macrophage", "tumour"], "p_adjusted"] < 0.01).all()
    assert table.loc["macrophage", "share_ill"] > 2 * table.loc["macrophage", "share_well"]
    assert (table.loc[["fibroblast", "T cell"], "p_adjusted"] > 0.05).all()
    sums = anndata.read_h5ad(results / "cohort" / "pseudobulk.h5ad")
    cohort = anndata.read_h5ad(results / "cohort" / "cells.h5ad")
    assert int(sums.X.sum()) == int(cohort.layers["counts"].sum())


@pytest.mark.slow
def test_the_cohort_is_a_reference_for_spatial_cells(results: Path) -> None:
    reference = read_cell_reference(results / "cohort" / "cells.h5ad")
    assert reference.types == sorted(single_cell.TYPES)
    assert reference.counts.shape[0] > 2300


@pytest.mark.slow
def test_the_run_holds_and_its_report_tells(results: Path, made: Path) -> None:
    page = (results / "report.html").read_text()
    for words in ("dissociated cells", "brought together with Harmony", "share of mitochondrial transcripts"):
        assert words in page
    assert not list(results.glob("*/image.ome.zarr"))
    rules = json.loads((results / "plan.json").read_text())["rules"]
    assert {"import_counts", "assess_quality"} < set(rules)
    assert "segment_pack" not in rules
    ended = command([*ISTHMUS, "verify", str(results)], made)
    assert ended.code == 0, ended.text


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a\t\tb\tc\n", "neither image nor transcripts nor counts"),
        ("a\tnowhere\tb\tc\n", "counts 'nowhere' does not exist"),
    ],
)
def test_a_sample_without_counts_is_told(made: Path, tmp_path: Path, row: str, told: str) -> None:
    (tmp_path / "samples.tsv").write_text(SHEET + row)
    with pytest.raises(Exception, match=told):
        read_samples(tmp_path / "samples.tsv")
