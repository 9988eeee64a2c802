import numpy as np
import pytest
from analyse_cells import table_of, three_populations

from isthmus.analyse.cohort import join_samples
from isthmus.analyse.quality import mark_quality
from isthmus.config.models import Settings
from isthmus.errors import UserError

GOOD, BAD = [5] * 6, [1] * 6


def marked(counts, **options):
    table = table_of(counts, **options)
    mark_quality(table)
    return table


def test_one_sample_comes_back_as_it_is():
    table = three_populations()
    joined = join_samples([table])
    assert joined.obs_names.tolist() == table.obs_names.tolist()
    assert (joined.X != table.X).nnz == 0
    assert joined.layers["counts"].dtype == np.int32
    assert joined.obsm["intensity"].equals(table.obsm["intensity"])
    np.testing.assert_array_equal(joined.obsm["spatial"], table.obsm["spatial"])


def test_passing_cells_of_all_samples_keep_their_order_and_get_unique_names():
    joined = join_samples([marked([GOOD, BAD, GOOD], sample="b"), marked([BAD, GOOD], sample="a")])
    assert joined.obs_names.tolist() == ["b-1", "b-3", "a-2"]
    assert joined.obs["sample"].tolist() == ["b", "b", "a"]
    assert joined.layers["nucleus_counts"].shape == (3, 6)
    assert joined.obsm["intensity"]["DAPI_nucleus_mean"].tolist() == [1.5, 4.5, 3.0]


def test_the_tables_given_are_not_changed():
    table = marked([GOOD, BAD])
    join_samples([table], columns={"s1": {"donor": "d1"}})
    assert table.n_obs == 2
    assert "donor" not in table.obs


def test_genes_are_those_that_all_samples_measured():
    first = marked([GOOD], sample="a", genes=list("uvwxyz"))
    second = marked([[6, 5, 4, 3, 2, 1]], sample="b", genes=list("zyxwvk"))
    joined = join_samples([first, second])
    assert joined.var_names.tolist() == list("vwxyz")
    assert joined.X.toarray()[1].tolist() == [2, 3, 4, 5, 6]


def test_columns_of_the_sample_sheet_become_categories():
    tables = [marked([GOOD], sample="a"), marked([GOOD], sample="b")]
    joined = join_samples(
        tables, columns={"a": {"donor": "d1", "age": 50}, "b": {"donor": "d2", "age": None}}
    )
    assert joined.obs["donor"].tolist() == ["d1", "d2"]
    assert joined.obs["age"].tolist() == ["50", ""]
    assert str(joined.obs["donor"].dtype) == "category"


def test_each_samples_record_is_kept():
    joined = join_samples([marked([GOOD], sample="a"), marked([GOOD], sample="b")])
    assert joined.uns["isthmus"]["samples"]["b"] == {"version": "0.1.0", "sample": "b"}


def test_a_sample_without_passing_cells_does_not_stop_the_others():
    joined = join_samples([marked([BAD], sample="a"), marked([GOOD], sample="b")])
    assert joined.obs_names.tolist() == ["b-1"]


def test_no_passing_cell_at_all_says_which_threshold_removed_how_many():
    with pytest.raises(
        UserError, match=r"none of 3 cells passed \(removed: 2 by min_counts, 1 by min_genes\)"
    ):
        join_samples([marked([BAD, BAD, [40, 0, 0, 0, 0, 0]])])


def test_samples_without_a_single_cell_are_told_apart():
    empty = marked(np.zeros((0, 6)))
    with pytest.raises(UserError, match="sample a: no sample has a cell") as caught:
        join_samples([empty], sample_names=["a"])
    options = set(Settings.model_validate({"samples": "s.tsv"}).segmentation.basins.model_dump())
    named = {name for name in options if name in str(caught.value)}
    assert named == {"channel", "sensitivity", "local_contrast", "min_area_um2"}
    with pytest.raises(UserError, match="samples a, b: no sample has a cell"):
        join_samples([empty, empty], sample_names=["a", "b"])


@pytest.mark.parametrize(("method", "told"), [("labels", "column `labels`"), ("other", "segmentation.other")])
def test_what_to_do_without_a_cell_is_of_the_method_used(method, told):
    with pytest.raises(UserError, match="no sample has a cell") as caught:
        join_samples([marked(np.zeros((0, 6)))], sample_names=["a"], segmentation=method)
    assert told in str(caught.value)
    assert "basins" not in str(caught.value)


def test_a_sample_without_a_single_cell_does_not_stop_the_others():
    joined = join_samples([marked(np.zeros((0, 6)), sample="a"), marked([GOOD], sample="b")])
    assert joined.obs_names.tolist() == ["b-1"]


def test_columns_that_one_sample_lacks_are_kept():
    first, second = marked([GOOD], sample="a"), marked([GOOD], sample="b")
    first.obs["image"] = "left"
    joined = join_samples([first, second])
    assert joined.obs["image"].tolist()[0] == "left"
    assert joined.obs["image"].isna().tolist() == [False, True]
    assert joined.obs["touches_edge"].dtype == bool


def test_a_sample_named_twice_is_refused():
    with pytest.raises(UserError, match="sample 'a': named twice"):
        join_samples([marked([GOOD], sample="a"), marked([GOOD], sample="a")])


def test_samples_without_a_common_gene_are_refused():
    with pytest.raises(UserError, match="no gene is measured in all of them"):
        join_samples([marked([GOOD], sample="a"), marked([GOOD], sample="b", genes=list("uvwxyz"))])


def test_a_sheet_column_may_not_replace_one_of_ours():
    with pytest.raises(UserError, match="'area_um2' has the name of a column that Isthmus makes"):
        join_samples([marked([GOOD])], columns={"s1": {"area_um2": "12"}})


def test_flat_and_deep_samples_do_not_mix():
    deep = marked([GOOD], sample="b", spatial=np.zeros((1, 3)))
    with pytest.raises(UserError, match="three-dimensional"):
        join_samples([marked([GOOD], sample="a"), deep])
