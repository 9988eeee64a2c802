import numpy as np
import pandas as pd
import pytest
from analyse_cells import table_of
from anndata import AnnData
from scipy import stats

from isthmus.analyse.composition import compare_composition, moderated_f
from isthmus.analyse.describe import _compare_samples
from isthmus.analyse.pseudobulk import add_up_cells

N_TYPES = 10


def generated(rng, n_samples, *, concentration=30.0, shift=None):
    """Counts (samples x types) whose shares vary from sample to sample; `shift` multiplies them by sample and type."""
    base = np.maximum(rng.dirichlet(np.ones(N_TYPES)), 0.01)
    shares = rng.dirichlet(concentration * base / base.sum(), size=n_samples)
    if shift is not None:
        shares = shares * shift
        shares /= shares.sum(axis=1, keepdims=True)
    return np.stack([rng.multinomial(rng.integers(300, 4000), share) for share in shares])


def cells_of(counts, conditions, batches=None):
    """One row a cell: sample, type, condition, batch."""
    rows = []
    for number, of_sample in enumerate(counts):
        for kind, n in enumerate(of_sample):
            rows.append(
                pd.DataFrame(
                    {
                        "sample": f"s{number}",
                        "type": f"t{kind}",
                        "condition": conditions[number],
                        "batch": "b" if batches is None else batches[number],
                    },
                    index=range(n),
                )
            )
    return pd.concat(rows, ignore_index=True)


def compared(cells, **options):
    return compare_composition(cells["sample"], cells["type"], cells["condition"], cells["batch"], **options)


@pytest.mark.parametrize("transform", ["arcsine", "clr"])
@pytest.mark.parametrize("n_each", [3, 6])
def test_false_positives_on_permuted_labels_are_as_many_as_promised(n_each, transform):
    """400 permutations of the conditions of 20 cohorts: 3 to 7 % of the p-values below 5 %."""
    rng = np.random.default_rng(n_each)
    below = []
    for _ in range(20):
        counts = generated(rng, 2 * n_each).astype(float)
        shares = counts / counts.sum(axis=1, keepdims=True)
        logs = np.log(counts + 0.5)
        clr = logs - logs.mean(axis=1, keepdims=True)
        values = np.arcsin(np.sqrt(shares)) if transform == "arcsine" else clr
        for _ in range(20):
            condition = rng.permutation(np.repeat([0.0, 1.0], n_each))
            design = np.column_stack([np.ones(2 * n_each), condition])
            below.append(moderated_f(values, design, 1)[2] < 0.05)
    assert 0.03 <= np.mean(below) <= 0.07


def test_testing_cells_instead_of_samples_would_be_wrong():
    """Why samples are the unit: a chi-squared test over cells finds differences between random halves."""
    rng = np.random.default_rng(0)
    below = [
        stats.chi2_contingency(np.stack([counts[:3].sum(axis=0), counts[3:].sum(axis=0)])).pvalue < 0.05
        for counts in (generated(rng, 6) for _ in range(20))
    ]
    assert np.mean(below) > 0.9


def test_a_real_difference_is_found_and_the_table_says_which():
    rng = np.random.default_rng(1)
    conditions = ["ill"] * 5 + ["well"] * 5
    shift = np.ones((10, N_TYPES))
    shift[:5, 3] = 6.0
    found = compared(cells_of(generated(rng, 10, concentration=200, shift=shift), conditions))
    table = found.table.set_index("type")
    assert table["p_adjusted"].idxmin() == "t3"
    assert table.loc["t3", "p_adjusted"] < 0.01
    assert table.loc["t3", "share_ill"] > 2 * table.loc["t3", "share_well"]
    assert table[["share_ill", "share_well"]].sum().tolist() == pytest.approx([1, 1])
    assert found.note == "10 samples of 2 conditions"


def test_the_statistic_without_moderation_is_that_of_the_linear_model():
    """Two types give no prior, and then it is the F test of the textbook, here the square of the t test."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(8, 2))
    design = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4)])
    statistic, free, p_value = moderated_f(values, design, 1)
    expected = stats.ttest_ind(values[:4], values[4:])
    assert free.tolist() == [6, 6]
    np.testing.assert_allclose(statistic, expected.statistic**2)
    np.testing.assert_allclose(p_value, expected.pvalue)


def test_batches_are_a_covariate_where_conditions_can_be_told_from_them():
    rng = np.random.default_rng(3)
    conditions = ["a", "b"] * 4
    counts = generated(rng, 8)
    crossed = compared(cells_of(counts, conditions, ["x", "x", "y", "y"] * 2))
    assert crossed.note.endswith("batches as a covariate")
    nested = compared(cells_of(counts, conditions, conditions))
    assert "cannot be told apart" in nested.note
    assert nested.table["p_value"].notna().all()


def test_three_conditions_are_tested_together():
    found = compared(cells_of(generated(np.random.default_rng(4), 9), ["a", "b", "c"] * 3))
    assert {"share_a", "share_b", "share_c"} <= set(found.table)
    assert found.table["p_value"].between(0, 1).all()


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (["a"] * 4, "needs two conditions"),
        (["a", "a", "a", "b"], "two samples each are needed, there are a 3, b 1"),
        (["a", "b", "", ""], "two samples each are needed, there are a 1, b 1"),
    ],
)
def test_what_cannot_be_tested_is_not_and_the_note_says_why(conditions, said):
    found = compared(cells_of(generated(np.random.default_rng(5), 4), conditions))
    assert said in found.note
    assert found.table["p_value"].isna().all()
    assert found.shares.sum(axis=1).tolist() == pytest.approx([1] * 4)


def test_a_sample_without_a_condition_is_left_out_of_the_test():
    found = compared(cells_of(generated(np.random.default_rng(6), 5), ["a", "b", "a", "b", ""]))
    assert found.note == "4 samples of 2 conditions"
    assert len(found.shares) == 5


def test_the_order_of_samples_and_cells_does_not_matter():
    cells = cells_of(generated(np.random.default_rng(7), 6), ["a", "b"] * 3)
    turned = compared(cells.iloc[::-1]).table
    pd.testing.assert_frame_equal(compared(cells).table, turned)


def test_pseudobulk_adds_up_whole_numbers_by_sample_and_type():
    rng = np.random.default_rng(0)
    table = table_of(rng.integers(0, 9, (50, 4)))
    table.obs["sample"] = np.repeat(["b", "a"], 25)
    table.obs["kind"] = pd.Categorical(rng.choice(["x", "y", "z"], 50))
    table.obs["condition"] = np.repeat(["ill", "well"], 25)
    table.obs["shade"] = rng.choice(["light", "dark"], 50)
    made = add_up_cells(table, "kind")
    counts = table.to_df("counts")
    expected = counts.groupby([table.obs["sample"].astype(str), table.obs["kind"].astype(str)]).sum()
    assert made.obs_names.tolist() == [f"{s}-{k}" for s in "ba" for k in "xyz"]
    assert made.X.dtype == np.int64
    for name, row in zip(made.obs_names, made.X.toarray(), strict=True):
        assert row.tolist() == expected.loc[tuple(name.split("-"))].tolist()
    assert made.obs["condition"].tolist() == ["ill"] * 3 + ["well"] * 3
    assert "shade" not in made.obs
    assert made.obs["n_cells"].sum() == 50
    assert made.obs["n_counts"].sum() == counts.to_numpy().sum()


def test_pseudobulk_of_intensities_is_their_mean():
    table = table_of([[1, 2], [3, 4]])
    table.X = np.array([[1.0, 2.0], [3.0, 5.0]], dtype=np.float32)
    del table.layers["counts"]
    table.obs["kind"] = ["x", "x"]
    made = add_up_cells(table, "kind")
    assert made.X.toarray().tolist() == [[2.0, 3.5]]
    assert made.uns["isthmus"]["x"] == "means of intensities"


def test_a_batch_column_of_another_name_is_a_covariate_too():
    rows = [(f"s{n}", kind) for n in range(8) for kind in ["T"] * (10 + n) + ["B"] * 20]
    obs = pd.DataFrame(rows, columns=["sample", "cell_type"])
    number = obs["sample"].str[1:].astype(int)
    obs["condition"], obs["run"] = np.where(number % 2, "ill", "well"), np.where(number < 4, "r1", "r2")
    obs.index = obs.index.astype(str)
    found = {}
    for column in ("sample", "run"):
        table = AnnData(np.zeros((len(obs), 1)), obs=obs)
        table.uns["isthmus"] = {"integration": {"batch_column": column}}
        found[column] = _compare_samples(table, "cell_type", transform="arcsine", adjust_for_batch=True).table
    assert not np.allclose(found["sample"]["p_value"], found["run"]["p_value"])
