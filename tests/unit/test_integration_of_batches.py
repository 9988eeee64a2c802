import numpy as np
import pandas as pd
import pytest
from analyse_cells import three_populations

from isthmus.analyse.batches import batch_column, correct_batches
from isthmus.analyse.cluster import cluster_cells
from isthmus.analyse.mixing import measure_integration
from isthmus.errors import UserError


def two_batches(n_each=70, shift=4.0, seed=0):
    """Three types in a space of 8 dimensions, seen in two batches, one of them moved; batch, type and place."""
    rng = np.random.default_rng(seed)
    types = np.tile(np.repeat([0, 1, 2], n_each), 2)
    batches = np.repeat(["x", "y"], 3 * n_each)
    place = rng.normal(size=(len(types), 8))
    place[np.arange(len(types)), types] += 12
    place[batches == "y", 3:] += shift
    return place, batches, np.array(["A", "B", "C"])[types]


def table_with(place, batches):
    table = three_populations(n_each=len(place) // 3)
    table.obs["batch"] = batches
    table.obsm["X_pca"] = place.astype(np.float32)
    return table


def test_harmony_mixes_batches_and_keeps_types():
    place, batches, types = two_batches()
    table = table_with(place, batches)
    noted = correct_batches(table, method="harmony")
    assert (noted["done"], noted["n_batches"], noted["batch_column"]) == (True, 2, "batch")
    np.testing.assert_array_equal(table.obsm["X_pca"], place.astype(np.float32))
    found = measure_integration(place, table.obsm["X_integrated"], batches, types).set_index("measure")
    for measure in ("batch_lisi", "accepted_share", "batch_asw"):
        assert found.loc[measure, "after"] > found.loc[measure, "before"] + 0.1, measure
    assert found.loc["batch_lisi", "before"] < 0.05
    assert found.loc["batch_lisi", "after"] > 0.7
    assert found.loc["type_lisi", "after"] > 0.95
    assert found.loc["type_asw", "after"] >= found.loc["type_asw", "before"] - 0.02
    assert found.loc["neighbours_kept", "after"] > 0.6


def test_harmony_repeats_to_the_bit_and_follows_its_seed():
    place, batches, _ = two_batches()
    first, second, other = (table_with(place, batches) for _ in range(3))
    for table, seed in ((first, 1), (second, 1), (other, 2)):
        correct_batches(table, method="harmony", seed=seed)
    np.testing.assert_array_equal(first.obsm["X_integrated"], second.obsm["X_integrated"])
    assert not np.array_equal(first.obsm["X_integrated"], other.obsm["X_integrated"])


@pytest.mark.parametrize("method", ["none", "harmony"])
def test_nothing_is_corrected_where_there_is_nothing_to_correct(method):
    place, batches, _ = two_batches()
    batches = batches if method == "none" else np.full(len(batches), "x")
    table = table_with(place, batches)
    assert correct_batches(table, method=method)["done"] is False
    assert "X_integrated" not in table.obsm


def test_what_is_measured_is_bounded_and_repeats():
    place, batches, types = two_batches(n_each=400)
    few = measure_integration(place, None, batches, types, most_cells=300)
    pd.testing.assert_frame_equal(few, measure_integration(place, None, batches, types, most_cells=300))
    assert few["after"].isna().all()
    assert few["before"].between(0, 1).all()


def test_one_batch_has_no_mixing_to_measure():
    place, batches, types = two_batches()
    assert measure_integration(place, None, np.full(len(batches), "x"), types).empty


def test_perfectly_mixed_batches_score_near_one():
    place, batches, types = two_batches(shift=0.0, n_each=200)
    found = measure_integration(place, None, batches, types).set_index("measure")["before"]
    assert found["batch_lisi"] > 0.85
    assert found["accepted_share"] > 0.9
    assert found["batch_asw"] > 0.9


def test_without_a_column_batch_each_sample_is_one():
    obs = pd.DataFrame({"sample": ["a", "b"]})
    assert batch_column(obs) == "sample"
    assert batch_column(obs.assign(batch=["1", "2"])) == "batch"
    assert batch_column(obs.assign(day=["1", "2"]), "day") == "day"


def test_a_column_that_is_missing_or_has_gaps_is_told():
    obs = pd.DataFrame({"sample": ["a", "b"], "batch": ["1", None]})
    with pytest.raises(UserError, match="sample b: no value in column 'batch'"):
        batch_column(obs)
    with pytest.raises(UserError, match="no column 'day'"):
        batch_column(obs, "day")


def test_clusters_are_made_from_corrected_components():
    first, second = three_populations(n_each=60, seed=0), three_populations(n_each=60, seed=1)
    import anndata

    table = anndata.concat([first, second], index_unique="-")
    table.obs["batch"] = np.repeat(["x", "y"], 180)
    cluster_cells(table, n_components=5, method="harmony")
    assert table.obsm["X_integrated"].shape == table.obsm["X_pca"].shape
    assert table.uns["isthmus"]["integration"]["done"] is True
    mixed = pd.crosstab(table.obs["leiden"], table.obs["batch"], normalize="index")
    assert mixed["x"].between(0.3, 0.7).all()
