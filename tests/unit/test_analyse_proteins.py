"""Tables of intensities: transforms, normalisation, quality, gates and clusters against known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from isthmus.analyse.cluster import cluster_cells
from isthmus.analyse.cohort import join_samples
from isthmus.analyse.gates import Gate, read_gates
from isthmus.analyse.gating import gate_cells, split_marker
from isthmus.analyse.quality_intensities import mark_intensities
from isthmus.analyse.spillover import mean_by_type, measure_spillover
from isthmus.analyse.transform import (
    cofactors_of,
    inverse,
    normalised,
    transform_intensities,
    transformed,
)
from isthmus.errors import UserError

MARKERS = ("CD3", "CD4", "CD8", "CD20", "DNA")
ROLES = ("lineage", "lineage", "lineage", "lineage", "nuclear")
LEVELS = {
    "helper T": (900, 700, 20, 20),
    "cytotoxic T": (900, 20, 800, 20),
    "B": (20, 20, 20, 1000),
    "other": (20, 20, 20, 20),
}
GATES = (
    Gate("T", ("CD3",), ("CD20",)),
    Gate("helper T", ("CD3", "CD4"), ("CD8",)),
    Gate("cytotoxic T", ("CD3", "CD8"), ("CD4",)),
    Gate("B", ("CD20",), ("CD3",)),
)


def cells(n=120, sample="s1", gain=1.0, seed=0) -> tuple[AnnData, np.ndarray]:
    """Intensities of n cells of each kind, and their kinds."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(list(LEVELS), n)
    means = np.array([(*LEVELS[kind], 500) for kind in kinds], float)
    values = gain * means * rng.lognormal(0, 0.25, means.shape)
    order = rng.permutation(len(kinds))
    kinds, values = kinds[order], values[order]
    ids = np.arange(1, len(kinds) + 1)
    index = [f"{sample}-{i}" for i in ids]
    obs = pd.DataFrame({"instance_id": ids, "sample": sample, "area_um2": 50.0 + ids % 50}, index=index)
    var = pd.DataFrame({"role": pd.Categorical(ROLES)}, index=list(MARKERS))
    table = AnnData(X=values.astype(np.float32), obs=obs, var=var)
    table.obsm["spatial"] = np.column_stack([ids * 10.0, np.zeros(len(ids))])
    pixels = 40.0
    table.obsm["intensity"] = pd.DataFrame(
        {
            "DNA_mean_nucleus": values[:, 4],
            "DNA_sum_nucleus": values[:, 4] * pixels,
            "DNA_integrated_nucleus": (values[:, 4] - 100) * pixels,
        },
        index=index,
    )
    return table, kinds


def test_arcsinh_and_its_inverse():
    raw = np.array([[0.0, 5.0], [10.0, 100.0]])
    made = transformed(raw, "arcsinh", np.array([5.0, 5.0]))
    assert made[1, 0] == pytest.approx(np.log(2 + np.sqrt(5)))
    np.testing.assert_allclose(inverse(made[:, 0], "arcsinh", 5.0), raw[:, 0], atol=1e-12)
    np.testing.assert_allclose(inverse(np.log1p(raw[:, 1]), "log1p", 1.0), raw[:, 1])
    np.testing.assert_array_equal(transformed(raw, "none", np.ones(2)), raw)
    assert transformed(np.array([[-3.0]]), "log1p", np.ones(1)).item() == 0


def test_cofactors_follow_the_data_or_the_user():
    raw = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [6.0, 0.0]])
    assert cofactors_of(raw, None).tolist() == [4.0, 1.0]
    assert cofactors_of(raw, 5.0).tolist() == [5.0, 5.0]


@pytest.mark.parametrize("how", ["z", "robust", "percentile"])
def test_normalisation_takes_out_the_gain_of_a_slide(how):
    one, _ = cells(seed=1)
    other, _ = cells(seed=1, gain=3.0)
    values = np.log(np.vstack([one.X, other.X]).astype(float))
    samples = ["a"] * one.n_obs + ["b"] * other.n_obs
    made = normalised(values, samples, how)
    np.testing.assert_allclose(made[: one.n_obs], made[one.n_obs :], atol=1e-5)
    np.testing.assert_array_equal(normalised(values, samples, "none"), values)


def test_normal_values():
    values = np.array([[1.0, 7.0], [3.0, 7.0], [5.0, 7.0]])
    made = normalised(values, ["a"] * 3, "z")
    assert made[:, 0].tolist() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert made[:, 1].tolist() == [0, 0, 0], "a marker without spread"


def test_raw_intensities_are_kept():
    table, _ = cells()
    before = table.X.copy()
    assert transform_intensities(table, cofactor=50.0) == 5
    np.testing.assert_array_equal(table.layers["intensities"], before)
    assert table.var["cofactor"].tolist() == [50.0] * 5
    once = table.X.copy()
    transform_intensities(table, cofactor=50.0)
    np.testing.assert_array_equal(table.X, once)


def test_quality_by_area_nuclear_signal_and_total():
    table, _ = cells()
    table.X[0] = 0
    table.obs.loc[table.obs_names[1], "area_um2"] = 3.0
    table.obsm["intensity"].loc[table.obs_names[2]] = [np.nan, 0.0, 0.0]
    summary = mark_intensities(
        table, min_area_um2=10, max_area_um2=None, min_nuclear_signal=10, min_total_intensity=1.0
    )
    assert table.obs["qc_reason"].tolist()[:4] == [
        "min_total_intensity",
        "min_area_um2",
        "min_nuclear_signal",
        "",
    ]
    assert summary["passed"] == table.n_obs - 3
    assert summary["missed"] == {"min_area_um2": 1, "min_nuclear_signal": 1, "min_total_intensity": 1}
    signal = table.obs["nuclear_signal"].to_numpy()
    assert np.isnan(signal[2])
    mean = table.obsm["intensity"]["DNA_mean_nucleus"].to_numpy()
    np.testing.assert_allclose(signal[3:], mean[3:] - 100)


def test_nuclear_signal_needs_a_panel():
    table, _ = cells()
    del table.var["role"]
    assert mark_intensities(table)["passed"] == table.n_obs
    with pytest.raises(
        UserError, match=r"min_nuclear_signal: the table has no column 'nuclear_signal'; leave"
    ):
        mark_intensities(table, min_nuclear_signal=1)


@pytest.mark.parametrize("method", ["mixture", "otsu"])
def test_gates_find_the_types(method):
    table, kinds = cells()
    gate_cells(table, GATES, threshold=method)
    found = table.obs["cell_type"].astype(str).to_numpy()
    wanted = np.where(kinds == "other", "unassigned", kinds)
    assert (found == wanted).mean() > 0.98
    # 'T' holds for helper and cytotoxic T cells too, but says less
    assert (found == "T").mean() < 0.02
    gates = table.uns["gates"].set_index("marker")
    for marker, low, high in (("CD3", 20, 900), ("CD4", 20, 700), ("CD8", 20, 800), ("CD20", 20, 1000)):
        assert low * 1.5 < gates.loc[marker, "threshold"] < high / 1.5, marker
        assert gates.loc[marker, "separated"]
    assert gates.loc["CD3", "positive"] == pytest.approx(0.5, abs=0.01)
    confidence = table.obs["cell_type_confidence"]
    assert confidence.between(0, 1).all()
    assert (confidence[found != "unassigned"] >= 0.5).all()


def test_each_sample_has_thresholds_of_its_own():
    dim, kinds = cells(sample="a", seed=1)
    bright, more = cells(sample="b", seed=2, gain=4.0)
    for table in (dim, bright):
        mark_intensities(table)
    joined = join_samples([dim, bright])
    assert joined.var["role"].tolist() == list(ROLES)
    gate_cells(joined, GATES)
    wanted = np.concatenate([kinds, more])
    wanted[wanted == "other"] = "unassigned"
    assert (joined.obs["cell_type"].astype(str).to_numpy() == wanted).mean() > 0.98
    levels = joined.uns["gates"].pivot_table(index="marker", columns="sample", values="threshold")
    assert (levels["b"] / levels["a"]).between(2, 8).all()


def test_a_marker_that_no_cell_has_stays_negative():
    values = np.random.default_rng(3).normal(1.0, 0.2, 800)
    split = split_marker(values)
    assert not split.separated
    assert split.positive.mean() < 0.01
    assert split_marker(values[:5]).positive.tolist() == [0.0] * 5
    assert split_marker(np.ones(100)).positive.max() == 0


def test_sureness_never_falls_with_the_intensity():
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(0, 1.0, 500), rng.normal(6, 0.4, 200)])
    for method in ("mixture", "otsu"):
        split = split_marker(values, method)
        order = np.argsort(values)
        assert (np.diff(split.positive[order]) >= -1e-9).all()


def test_gating_is_repeatable():
    made = []
    for _ in range(2):
        table, _ = cells()
        gate_cells(table, GATES, seed=5)
        made.append(table)
    pd.testing.assert_frame_equal(made[0].obs, made[1].obs)
    pd.testing.assert_frame_equal(made[0].uns["gates"], made[1].uns["gates"])


def test_a_marker_that_was_not_measured():
    table, _ = cells()
    with pytest.raises(UserError) as caught:
        gate_cells(table, [Gate("T", ("CD3e",), ("CD19",))], where="gates")
    first, second = str(caught.value).splitlines()
    assert first == "gates: marker 'CD3e' is not among those measured; did you mean 'CD3'?"
    assert second.startswith("gates: marker 'CD19' is not among those measured; ")


def test_marker_table(tmp_path):
    path = tmp_path / "gates.csv"
    path.write_text("cell_type,positive,negative\nT,CD3; CD4,CD20\nB,CD20,\n")
    assert read_gates(path) == (Gate("T", ("CD3", "CD4"), ("CD20",)), Gate("B", ("CD20",), ()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cell_type,positive\nT,CD3\n", "no column 'negative', only cell_type, positive"),
        ("cell_type,positive,negative\n", "no cell type; write a header and a row a type"),
        ("cell_type,positive,negative\n,CD3,\n", "row 2: no cell type; name it"),
        ("cell_type,positive,negative\nT,,\n", "row 2: cell type 'T' has no marker"),
        ("cell_type,positive,negative\nT,CD3,\nT,CD4,\n", "row 3: cell type 'T' stands there twice"),
        ("cell_type,positive,negative\nT,CD3,CD3\n", "row 2: 'CD3' is both positive and negative"),
        ("cell_type,positive,negative\nunassigned,CD3,\n", "row 2: 'unassigned' is what cells without"),
    ],
)
def test_faults_of_a_marker_table(tmp_path, text, said):
    path = tmp_path / "gates.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_gates(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_clusters_of_intensities_follow_the_types():
    table, kinds = cells(n=60)
    markers = cluster_cells(table, leiden_resolution=0.3, seed=1)
    assert table.var["highly_variable"].tolist() == [True, True, True, True, False]
    purity = pd.crosstab(table.obs["leiden"].astype(str).to_numpy(), kinds).max(axis=1).sum() / table.n_obs
    assert purity > 0.98
    of_b = str(table.obs["leiden"][kinds == "B"].mode()[0])
    best = markers[markers["cluster"] == of_b].iloc[0]
    assert best["gene"] == "CD20"
    # log2 of the ratio of mean intensities: B cells against all others
    b = kinds == "B"
    raw = table.layers["intensities"][:, 3]
    assert best["logfoldchange"] == pytest.approx(np.log2(raw[b].mean() / raw[~b].mean()), abs=0.1)


def test_light_that_spills_into_another_channel_is_found():
    table, _ = cells(n=200)
    clean = table.copy()
    table.X = table.X.copy()
    table.X[:, 3] += 0.08 * table.X[:, 0]
    for made, wanted in ((table, 0.08), (clean, None)):
        measure_spillover(made)
        found = made.uns["crosstalk"].set_index(["marker", "into"])["share"]
        if wanted is None:
            assert ("CD3", "CD20") not in found.index or found["CD3", "CD20"] < 0.01
        else:
            assert found["CD3", "CD20"] == pytest.approx(wanted, rel=0.2)


def test_light_of_neighbours_is_found():
    """Cells on a lattice; each gets a tenth of the light of those that it touches."""
    table, _ = cells(n=225)
    side = 30
    at = np.arange(side * side)
    table.obs["area_um2"] = np.pi * 25.0
    table.obsm["spatial"] = np.column_stack([at % side, at // side]) * 10.0
    grid = table.X.reshape(side, side, -1).astype(float)
    wide = np.pad(grid, ((1, 1), (1, 1), (0, 0)))
    sums = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    counts = np.pad(np.ones((side, side)), 1)
    n = counts[:-2, 1:-1] + counts[2:, 1:-1] + counts[1:-1, :-2] + counts[1:-1, 2:]
    spilt = table.copy()
    spilt.X = (grid + 0.1 * sums / n[..., None]).reshape(side * side, -1).astype(np.float32)
    for made, low, high in ((spilt, 0.07, 0.13), (table, -0.01, 0.01)):
        measure_spillover(made)
        found = made.uns["neighbour_light"].set_index("marker")
        assert low < found.loc["CD20", "share"] < high
    assert spilt.uns["neighbour_light"].set_index("marker").loc["CD20", "explained"] > 0.3


def test_means_of_types():
    table, kinds = cells()
    table.obs["cell_type"] = pd.Categorical(kinds, categories=[*sorted(LEVELS), "nothing"])
    means = mean_by_type(table, "cell_type").set_index("cell_type")
    assert means.index.tolist() == sorted(LEVELS)
    assert means.loc["B", "CD20"] == pytest.approx(table.X[kinds == "B", 3].mean(), rel=1e-6)
