"""Tables of other omics in whole runs: only what is new is computed; verify and the report know the results."""

from __future__ import annotations

import time

import anndata
import mudata
import pandas as pd
from conftest import Copy, Finished
from study import jobs_done

from isthmus.cli.main import main
from isthmus.plan.paths import RunPaths
from isthmus.verify.run import Verification


def test_tables_of_samples_and_cells_join_a_finished_run(small_run: Finished, copied: Copy, capsys) -> None:
    study = copied(small_run)
    cells = anndata.read_h5ad(study.results / "cohort" / "cells.h5ad").obs_names
    (study.folder / "proteins.csv").write_text("sample,Actin,CD3E,flat\na,1,,2\nelsewhere,3,4,2\n")
    pd.DataFrame({"cell": cells[:20], "drug": range(20)}).to_csv(
        study.folder / "drug.tsv", sep="\t", index=False
    )
    proteins = {"name": "proteins", "path": str(study.folder / "proteins.csv"), "normalisation": "log1p"}
    drug = {"name": "drug", "path": str(study.folder / "drug.tsv"), "key": "cell"}
    began = time.time()
    ended = study.run(sets={"analysis.omics": [proteins, drug]})
    assert ended.code == 0, ended.text
    assert jobs_done(study.results, began) == {"join_omics": 1, "analyse_omics": 1, "report": 1}

    cohort = study.results / "cohort"
    table = anndata.read_h5ad(cohort / "proteins.h5ad")
    assert table.obs_names.tolist() == ["a"]
    assert table.var["qc_reason"].tolist() == ["constant", "missing", "constant"]
    assert anndata.read_h5ad(cohort / "drug.h5ad").obs_names.tolist() == cells[:20].tolist()
    with mudata.set_options(pull_on_update=False):
        samples = mudata.read_h5mu(cohort / "samples.h5mu")
    assert list(samples.mod) == ["image", "composition", "pseudobulk", "proteins"]
    own = anndata.read_h5ad(study.results / "a" / "cells.h5ad")
    passed = own[own.obs["qc_pass"].to_numpy(bool)]
    bulk = samples["pseudobulk"].to_df(layer="counts").loc["a"]
    assert bulk.to_dict() == passed.to_df(layer="counts").sum().to_dict()
    assert len(pd.read_csv(cohort / "correlations.tsv", sep="\t")) == 0
    page = (study.results / "report.html").read_text()
    assert "a factor model needs 15" in page
    assert "elsewhere" in page
    assert [str(fault) for fault in Verification(RunPaths(study.results)).faults()] == []

    (study.folder / "drug.tsv").write_text("cell\tdrug\nA-1\t2\n")
    assert (
        main(
            [
                "check",
                str(study.config),
                "--set",
                f"analysis.omics=[{{name: p, path: {study.folder}/gone.csv}}]",
            ]
        )
        == 1
    )
    assert "no such file" in capsys.readouterr().err
