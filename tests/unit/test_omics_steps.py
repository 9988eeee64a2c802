"""Both steps on a folder of many samples with planted structure: what they write, and what the report says of it."""

import json

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
from report_folder import make_results
from scipy.sparse import csr_matrix

from isthmus.errors import UserError
from isthmus.launch.repair import find_outdated
from isthmus.plan.model import read_plan, write_plan
from isthmus.report.gather import read_run
from isthmus.report.page import render
from isthmus.steps.analyse_omics import analyse_omics
from isthmus.steps.job import Job
from isthmus.steps.join_omics import join_omics

SAMPLES = [f"s{k:02}" for k in range(18)]
WELLS = ("A1", "B2")


def job(paths, rule):
    return Job(rule, results=str(paths.root), log_file=str(paths.logs / "x.log"), outputs=[])


def add_measures(path, factor, rng):
    """Image features, counts and wells; a factor raises intensity and the first gene."""
    table = anndata.read_h5ad(path)
    n, index = table.n_obs, table.obs_names
    counts = csr_matrix(rng.poisson(np.exp([1 + 0.5 * factor, 1.0, 1.0]), (n, 3)).astype(np.int32))
    made = anndata.AnnData(counts, table.obs, pd.DataFrame(index=["G1", "G2", "G3"]))
    made.layers["counts"] = counts.copy()
    made.obs["well"] = pd.Categorical(np.array(WELLS)[np.arange(n) % 2])
    made.obsm["spatial"] = table.obsm["spatial"]
    middles = np.array([100 + 3 * factor, 50 - 3 * factor, 10, 5])
    values = rng.normal(middles, size=(n, 4))
    made.obsm["intensity"] = pd.DataFrame(values, index, [f"DAPI_{k}_cell" for k in "abcd"])
    made.write_h5ad(path)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    factor = rng.normal(size=len(SAMPLES))
    proteins = pd.DataFrame(rng.normal(size=(len(SAMPLES), 12)), SAMPLES, [f"P{k}" for k in range(12)])
    proteins.iloc[:, :4] += 2 * factor[:, np.newaxis]
    proteins.drop(index="s03").rename_axis("sample").to_csv(folder / "proteins.csv")
    wells = [f"{name}-{well}" for name in SAMPLES for well in ("A01", "B02")]
    pd.DataFrame({"well": wells, "viability": np.repeat(factor, 2), "flat": 1.0}).to_parquet(
        folder / "readout.parquet"
    )
    omics = [
        {"name": "proteins", "path": str(folder / "proteins.csv")},
        {"name": "readout", "path": str(folder / "readout.parquet"), "key": "well", "normalisation": "z"},
    ]
    settings = {"analysis": {"omics": omics, "joint": {"n_factors": 3, "n_permutations": 2}}}
    paths = make_results(folder / "out", samples=SAMPLES, images=False, side=100, settings=settings)
    for name, value in zip(SAMPLES, factor, strict=True):
        add_measures(paths.sample(name).table, value, rng)
    cohort = anndata.read_h5ad(paths.cohort_table)
    cohort.obs["well"] = pd.Categorical(np.array(WELLS)[(cohort.obs["instance_id"].to_numpy() - 1) % 2])
    cohort.write_h5ad(paths.cohort_table)
    plan = read_plan(paths.plan)
    write_plan(plan.model_copy(update={"cohort": {"join_omics": "j", "analyse_omics": "a"}}), paths.plan)
    join_omics(job(paths, "join_omics"))
    analyse_omics(job(paths, "analyse_omics"))
    return paths, factor


def test_samples_and_wells_are_joined(many):
    paths, _ = many
    assert anndata.read_h5ad(paths.omics_table("proteins")).n_obs == 17
    assert anndata.read_h5ad(paths.omics_table("readout")).obs_names[:2].tolist() == ["s00-A1", "s00-B2"]
    with mudata.set_options(pull_on_update=False):
        samples, wells = (mudata.read_h5mu(paths.modalities(unit)) for unit in ("sample", "well"))
    assert samples.shape[0] == 18
    assert wells.shape[0] == 36
    assert set(samples.mod) == {"image", "composition", "pseudobulk", "proteins"}
    assert set(wells.mod) == {"image", "composition", "pseudobulk", "readout"}
    own = anndata.read_h5ad(paths.sample("s05").table)
    good = own[(own.obs["qc_pass"] & (own.obs["well"] == "B2")).to_numpy(bool)]
    median = wells["image"].to_df().loc["s05-B2", "DAPI_a_cell"]
    assert median == good.obsm["intensity"]["DAPI_a_cell"].median()


def test_what_was_planted_is_found_in_both(many):
    paths, factor = many
    found = pd.read_csv(paths.correlations, sep="\t")
    assert set(found["unit"]) == {"sample", "well"}
    best = found[(found["unit"] == "well") & (found["molecule"] == "viability")].iloc[0]
    assert best["feature"] in ("DAPI_a_cell", "DAPI_b_cell")
    assert abs(best["rho"]) > 0.8
    of_samples = found[(found["unit"] == "sample") & (found["p_adjusted"] <= 0.05)]
    assert set(of_samples["feature"]) == {"DAPI_a_cell", "DAPI_b_cell"}
    assert set(of_samples["molecule"]) == {"P0", "P1", "P2", "P3"}
    with mudata.set_options(pull_on_update=False):
        samples = mudata.read_h5mu(paths.modalities("sample"))
    assert abs(np.corrcoef(samples.obsm["X_mofa"][:, 0], factor)[0, 1]) > 0.9


def test_the_report_tells_it(many):
    paths, _ = many
    page = render(read_run(paths.root))
    for words in (
        '<section class="part" id="omics">',
        "Samples with images and molecules together",
        "Wells with images and molecules together",
        "samples of this run without a row: 1 (s03)",
        "molecules that are the same everywhere: 1 (flat)",
        "DAPI_a_cell",
        "Factors",
        "as 2 models of data shuffled between samples tell",
        "were correlated over samples by Spearman",
        "Argelaguet",
    ):
        assert words in page, words


def test_cells_that_the_run_lacks_are_told(many, tmp_path):
    paths, _ = many
    plan = read_plan(paths.plan)
    (tmp_path / "c.csv").write_text("cell,drug\nelse-1,2\n")
    analysis = {
        **plan.settings["analysis"],
        "omics": [{"name": "drug", "path": str(tmp_path / "c.csv"), "key": "cell"}],
    }
    of = job(paths, "join_omics")
    of.__dict__["plan"] = plan.model_copy(update={"settings": {**plan.settings, "analysis": analysis}})
    with pytest.raises(UserError, match="no key is a cell of this run"):
        join_omics(of)


def test_results_of_another_configuration_are_found_when_their_histories_are_gone(
    many, tmp_path, monkeypatch
):
    """Snakemake knows nothing of results that were moved alone; what was published tells."""
    paths, _ = many
    monkeypatch.chdir(tmp_path)
    plan = read_plan(paths.plan)
    plan = plan.model_copy(update={"rules": {**plan.rules, "join_omics": plan.rules["report"]}})
    noted = {"rule": "join_omics", "sample": "", "time": 1.0, "digest": "of another", "files": {}}
    noted["files"] = {"cohort/proteins.h5ad": [1, 2], "cohort/gone.h5ad": [1, 2]}
    paths.published.parent.mkdir(exist_ok=True)
    paths.published.write_text(json.dumps({"version": 1, "jobs": {"join_omics": noted}}))
    assert find_outdated(plan, paths) == [paths.omics_table("proteins")]
    noted["digest"] = plan.digest("join_omics")
    paths.published.write_text(json.dumps({"version": 1, "jobs": {"join_omics": noted}}))
    assert find_outdated(plan, paths) == []
    paths.published.unlink()
