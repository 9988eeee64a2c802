"""Joint analysis of generated samples: what was planted is found, in shuffled data no more than the nominal rate."""

from itertools import permutations

import mudata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isthmus.analyse.factors import find_factors, usable_views
from isthmus.analyse.omics import assess_table
from isthmus.analyse.omics_correlations import EXACT, correlate, p_of, spearman
from isthmus.analyse.omics_joint import (
    analyse_jointly,
    features_of,
    join_modalities,
    molecules_of,
    read_modalities,
    write_modalities,
)

OPTIONS = {"min_correlated": 6, "alpha": 0.05, "min_factored": 15, "n_factors": 4, "seed": 0}


def cohort(n=24, *, seed=0, strength=1.5, n_molecules=40):
    """Samples with one factor in image, counts and proteins, and one molecule that follows one image feature."""
    rng = np.random.default_rng(seed)
    names = [f"s{k}" for k in range(n)]
    factor = rng.normal(size=n)

    def view(d, k):
        weight = np.zeros(d)
        weight[:k] = strength * (1 + rng.random(k))
        return np.outer(factor, weight) + rng.normal(size=(n, d))

    image = pd.DataFrame(view(20, 6), names, [f"DAPI_{k}" for k in range(20)])
    proteins = pd.DataFrame(view(n_molecules, 10), names, [f"P{k}" for k in range(n_molecules)])
    alone = rng.normal(size=n)
    image["area"] = alone
    proteins["P_area"] = np.exp(alone + 0.1 * rng.normal(size=n))
    counts = pd.DataFrame(rng.poisson(np.exp(4 + 0.3 * view(60, 20))), names, [f"G{k}" for k in range(60)])
    cells = pd.DataFrame(rng.multinomial(500, (0.5, 0.3, 0.2), n), names, ["T", "B", "Tumour"])
    units = pd.DataFrame({"sample": names, "n_cells": 500}, index=names)
    return units, image, cells, counts, proteins, factor


def joined(units, image, cells, counts, proteins):
    table, _ = assess_table(proteins, units, name="proteins", normalisation="none", max_missing=0.5)
    return join_modalities(units, image=image, composition=cells, counts=counts, tables={"proteins": table})


@pytest.fixture(scope="module")
def planted():
    units, image, cells, counts, proteins, factor = cohort()
    proteins = proteins.copy()
    proteins.iloc[3, 5:9] = np.nan
    proteins = proteins.drop(index="s20")
    whole = joined(units, image, cells, counts, proteins)
    found, summary = analyse_jointly(whole, unit="sample", **OPTIONS, n_permutations=19)
    return whole, found, summary, factor


def test_the_planted_correlation_is_found(planted):
    _, found, summary, _ = planted
    row = found[(found["feature"] == "area") & (found["molecule"] == "P_area")].iloc[0]
    assert row["n"] == 23
    assert row["rho"] > 0.9
    assert row["p_adjusted"] < 1e-6
    assert summary["tested"] == len(found) == (21 + 3) * 41
    others = found[(found["feature"] == "area") & (found["molecule"] != "P_area")]
    assert (others["p_adjusted"] > 0.05).mean() > 0.95
    # The factor makes 6 features and 10 molecules go together.
    both = found["feature"].isin([f"DAPI_{k}" for k in range(6)]) & found["molecule"].isin(
        [f"P{k}" for k in range(10)]
    )
    assert (found[both]["p_adjusted"] <= 0.05).mean() > 0.9
    assert (found[~both]["p_adjusted"] <= 0.05).mean() < 0.02
    assert found["p_value"].is_monotonic_increasing


def test_missing_values_are_left_out_of_a_pair(planted):
    _, found, _, _ = planted
    by_molecule = found.groupby("molecule")["n"].first()
    assert by_molecule["P5"] == 22
    assert by_molecule["P1"] == 23


def test_the_planted_factor_is_found(planted):
    whole, _, summary, factor = planted
    rows = summary["factors"]["rows"]
    assert [row["name"] for row in rows if row["beyond_chance"]] == ["F1"]
    scores = whole.obsm["X_mofa"][:, 0]
    assert abs(np.corrcoef(scores, factor)[0, 1]) > 0.95
    assert np.isfinite(scores).all()
    explained = rows[0]["explained"]
    assert min(explained[name] for name in ("image", "proteins", "pseudobulk")) > 0.15
    assert explained["composition"] < 0.1
    assert {name for name, _ in rows[0]["best"]["image"]} <= {f"DAPI_{k}" for k in range(6)}
    loadings = whole.mod["proteins"].varm["LFs"][:, 0]
    strong = np.argsort(-np.abs(loadings))[:10]
    assert set(whole.mod["proteins"].var_names[strong]) == {f"P{k}" for k in range(10)}


def test_factors_repeat_to_the_bit(planted):
    whole, _, _, _ = planted
    again = joined(*cohort()[:5])
    views = {name: again.mod[name].to_df() for name in ("image", "proteins")}
    one, other = (find_factors(views, n_factors=4, n_permutations=0, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.scores, other.scores)
    assert np.isnan(one.limit)
    assert whole.n_obs == 24


def test_shuffled_samples_share_no_factor():
    _, image, _, counts, proteins, _ = cohort(seed=1)
    rng = np.random.default_rng(5)
    views = {
        name: pd.DataFrame(view.to_numpy(float)[rng.permutation(24)], view.index, view.columns)
        for name, view in (("image", image), ("counts", np.log1p(counts)), ("proteins", proteins))
    }
    factors = find_factors(views, n_factors=3, n_permutations=19, seed=0)
    assert (factors.shared <= factors.limit).all()


def test_shuffled_samples_have_no_more_correlations_than_alpha():
    """Over many shuffles: the share in which anything at all is found is at most about alpha."""
    _, image, _, _, proteins, _ = cohort(seed=2, n_molecules=20)
    rng = np.random.default_rng(0)
    n_found, small = 0, []
    for _ in range(100):
        shuffled = pd.DataFrame(proteins.to_numpy()[rng.permutation(24)], proteins.index, proteins.columns)
        found = correlate({"image": image}, {"proteins": shuffled}, unit="sample", min_samples=6)
        n_found += (found["p_adjusted"] <= 0.05).any()
        small.append((found["p_value"] <= 0.05).mean())
    assert n_found <= 10
    assert 0.03 < np.mean(small) < 0.07


@pytest.mark.parametrize("n", [6, 8])
def test_few_samples_give_no_false_finds(n):
    """The t distribution would: a perfect order of six samples is one of 360, and there are thousands of pairs."""
    rng = np.random.default_rng(1)
    names = [f"s{k}" for k in range(n)]
    image, molecules = (pd.DataFrame(rng.normal(size=(n, 60)), names) for _ in range(2))
    found = correlate({"image": image}, {"m": molecules}, unit="sample", min_samples=6)
    assert len(found) == 3600
    assert (found["rho"].abs() > 0.99).any() or n > 6
    assert (found["p_adjusted"] > 0.05).all()
    assert found["p_value"].min() >= 2 / np.prod(np.arange(1, n + 1)) - 1e-12


@given(st.integers(3, 6), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_p_of_few_samples_is_that_of_all_permutations(n, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.permutation(n).astype(float), rng.permutation(n).astype(float)
    rho, p = spearman(x[:, np.newaxis], y[:, np.newaxis])
    assert rho[0, 0] == pytest.approx(stats.spearmanr(x, y).statistic)
    null = [abs(np.corrcoef(x, y[list(order)])[0, 1]) for order in permutations(range(n))]
    assert p[0, 0] == pytest.approx(np.mean(np.array(null) >= abs(rho[0, 0]) - 1e-9))


@given(st.integers(3, 40), st.integers(0, 10_000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_rho_is_that_of_scipy(n, seed, ties):
    rng = np.random.default_rng(seed)
    left = rng.integers(0, 4 if ties else 10**9, (n, 3)).astype(float)
    right = rng.normal(size=(n, 2))
    rho, p = spearman(left, right)
    for i in range(3):
        if np.ptp(left[:, i]) == 0:
            assert np.isnan(rho[i]).all()
            assert np.isnan(p[i]).all()
            continue
        for j in range(2):
            assert rho[i, j] == pytest.approx(stats.spearmanr(left[:, i], right[:, j]).statistic)
            assert 0 < p[i, j] <= 1


@pytest.mark.parametrize("n", [EXACT, 20, 30])
def test_p_is_the_share_of_permutations(n):
    """Where counting ends and beyond: against shuffles, and where scipy's t distribution is several times too small."""
    rng = np.random.default_rng(0)
    ranks = np.tile(np.arange(n, dtype=np.int16), (300_000, 1))
    squares = ((rng.permuted(ranks, axis=1).astype(np.int64) - ranks) ** 2).sum(axis=1)
    null = np.sort(np.abs(1 - 6 * squares / (n * (n * n - 1))))
    for share, low, high in ((0.05, 0.93, 1.07), (0.01, 0.9, 1.1), (0.001, 0.85, 1.3), (0.0001, 0.7, 2.0)):
        rho = null[-int(len(null) * share)]
        assert low < p_of(np.array([rho]), n)[0] / (null >= rho - 1e-9).mean() < high


def test_p_falls_with_rho_over_the_border_of_counting():
    rho = np.linspace(0, 1, 201)
    for n in (6, EXACT, EXACT + 1, 60):
        p = p_of(rho, n)
        assert (np.diff(p) <= 0).all()
        assert p[0] == pytest.approx(1, abs=0.02)
        assert p[-1] > 0
    near = p_of(np.array([0.5, 0.7]), EXACT), p_of(np.array([0.5, 0.7]), EXACT + 1)
    assert np.all((near[0] / near[1] > 1) & (near[0] / near[1] < 1.6))


def test_constant_columns_and_few_pairs_are_not_tested():
    names = [f"s{k}" for k in range(8)]
    image = pd.DataFrame({"a": np.arange(8.0), "flat": 1.0}, names)
    molecules = pd.DataFrame({"m": np.arange(8.0), "rare": [1, 2, 3, *[np.nan] * 5]}, names)
    found = correlate({"image": image}, {"m": molecules}, unit="sample", min_samples=6)
    assert found[["feature", "molecule"]].to_numpy().tolist() == [["a", "m"]]
    none = correlate({"image": image.head(5)}, {"m": molecules}, unit="sample", min_samples=6)
    assert len(none) == 0
    assert "p_adjusted" in none


def test_too_few_samples_are_told(tmp_path):
    whole = joined(*cohort(10)[:5])
    found, summary = analyse_jointly(whole, unit="sample", **OPTIONS, n_permutations=3)
    assert summary["factors"] is None
    assert summary["no_factors"] == "10 samples have two modalities or more, and a factor model needs 15"
    assert len(found)
    write_modalities(whole, tmp_path / "samples.h5mu")
    read = read_modalities(tmp_path / "samples.h5mu")
    assert list(read.mod) == ["image", "composition", "pseudobulk", "proteins"]
    assert read.obs["n_cells"].tolist() == [500] * 10
    np.testing.assert_allclose(read["composition"].X.sum(axis=1), 1)
    np.testing.assert_allclose(read["composition"].layers["clr"].sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose((2 ** read["pseudobulk"].X - 1).sum(axis=1), 1e6)
    assert [path.name for path in tmp_path.iterdir()] == ["samples.h5mu"]


def test_factors_are_written_and_read(planted, tmp_path):
    whole, _, _, _ = planted
    write_modalities(whole, tmp_path / "samples.h5mu")
    read = read_modalities(tmp_path / "samples.h5mu")
    np.testing.assert_array_equal(read.obsm["X_mofa"], whole.obsm["X_mofa"])
    assert set(read.uns["mofa"]["explained"]) == set(whole.mod)
    assert "s20" in read.obs_names
    assert "s20" not in read["proteins"].obs_names


def test_parts_that_a_run_lacks_are_left_out():
    units, _, cells, _, proteins, _ = cohort(8)
    table, _ = assess_table(proteins, units, name="p", normalisation="none", max_missing=0.5)
    none = pd.DataFrame()
    whole = join_modalities(units, image=none, composition=cells, counts=none, tables={"p": table})
    assert list(whole.mod) == ["composition", "p"]
    assert set(features_of(whole)) == {"composition"}
    assert set(molecules_of(whole)) == {"p"}
    assert isinstance(whole, mudata.MuData)


def test_a_molecule_called_as_a_gene_is_told_apart():
    units, image, cells, counts, proteins, _ = cohort(8)
    proteins = proteins.rename(columns={"P0": "G0"})
    whole = joined(units, image, cells, counts, proteins)
    assert whole.var_names.is_unique
    assert "proteins:G0" in whole["proteins"].var_names


def test_a_factor_model_takes_what_varies_in_samples_of_two_modalities():
    names = [f"s{k}" for k in range(16)]
    rng = np.random.default_rng(0)
    one = pd.DataFrame(rng.normal(size=(16, 3)), names, ["a", "b", "flat"])
    one["flat"] = 2.0
    one["rare"] = [1.0, 2.0, *[np.nan] * 14]
    other = pd.DataFrame(rng.normal(size=(12, 2)), names[:12], ["c", "d"])
    views = usable_views({"one": one, "other": other})
    assert views["one"].shape == (12, 2)
    assert views["other"].columns.tolist() == ["c", "d"]
    assert find_factors({"one": one}, n_factors=3, n_permutations=0, seed=0) is None
