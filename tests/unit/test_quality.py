import json

import numpy as np
import pytest
import scanpy
from analyse_cells import table_of, three_populations

from isthmus.analyse.quality import explain_removed, mark_quality
from isthmus.errors import UserError

GOOD = [5, 5, 5, 5, 5, 5]
FEW = [1, 1, 1, 1, 1, 0]
ONE_GENE = [40, 0, 0, 0, 0, 0]


def test_all_rows_stay_and_each_failure_says_which_threshold():
    table = table_of([GOOD, FEW, ONE_GENE, [0] * 6])
    summary = mark_quality(table)
    assert table.n_obs == 4
    assert table.obs["qc_pass"].tolist() == [True, False, False, False]
    assert table.obs["qc_reason"].tolist() == ["", "min_counts", "min_genes", "min_counts"]
    assert summary["removed"] == {"min_counts": 2, "min_genes": 1, "max_control_fraction": 0}
    assert summary["missed"] == {"min_counts": 2, "min_genes": 2, "max_control_fraction": 0}
    assert (summary["cells"], summary["passed"], summary["genes"]) == (4, 1, 6)


def test_metrics_equal_those_of_scanpy():
    table = three_populations()
    mark_quality(table)
    expected = table.copy()
    scanpy.pp.calculate_qc_metrics(expected, layer="counts", percent_top=None, log1p=False, inplace=True)
    np.testing.assert_array_equal(table.obs["n_counts"], expected.obs["total_counts"])
    np.testing.assert_array_equal(table.obs["n_genes"], expected.obs["n_genes_by_counts"])
    np.testing.assert_array_equal(table.var["n_cells"], expected.var["n_cells_by_counts"])
    np.testing.assert_array_equal(table.var["n_counts"], expected.var["total_counts"])


def test_bounds_are_inclusive():
    table = table_of([[2] * 5, [3] * 5])
    mark_quality(table, min_counts=10, max_counts=15, min_genes=5)
    assert table.obs["qc_pass"].all()


def test_controls_and_low_quality_are_shares_of_what_was_seen():
    table = table_of([GOOD, GOOD], controls={"neg1": [1, 0], "neg2": [1, 0]}, low_quality=np.array([0, 30]))
    mark_quality(table)
    assert table.obs["control_fraction"].tolist() == [2 / 32, 0.0]
    assert table.obs["low_quality_fraction"].tolist() == [0.0, 0.5]
    assert table.obs["qc_reason"].tolist() == ["max_control_fraction", ""]


def test_the_first_missed_threshold_in_order_is_the_reason():
    table = table_of([FEW])
    table.obs["area_um2"] = 1.0
    mark_quality(table, min_area_um2=5.0)
    assert table.obs["qc_reason"].tolist() == ["min_counts"]
    mark_quality(table, min_counts=None, min_genes=None, min_area_um2=5.0)
    assert table.obs["qc_reason"].tolist() == ["min_area_um2"]


def test_an_unknown_area_misses_a_bound_on_area_and_nothing_else():
    table = table_of([GOOD, GOOD])
    table.obs["area_um2"] = [np.nan, 50.0]
    mark_quality(table)
    assert table.obs["qc_pass"].all()
    mark_quality(table, max_area_um2=100.0)
    assert table.obs["qc_pass"].tolist() == [False, True]


def test_before_and_after_are_described():
    summary = mark_quality(table_of([GOOD, FEW, GOOD]))
    counts = summary["metrics"]["n_counts"]
    assert counts["before"]["n"] == 3
    assert counts["after"] == {"n": 2, "mean": 30.0} | dict.fromkeys(
        ["min", "q05", "q25", "median", "q75", "q95", "max"], 30.0
    )
    assert sum(counts["histogram"]["before"]) == 3
    assert sum(counts["histogram"]["after"]) == 2
    assert len(counts["histogram"]["edges"]) == len(counts["histogram"]["before"]) + 1


@pytest.mark.parametrize("counts", [np.zeros((4, 6)), np.zeros((0, 6))], ids=["all zero", "no cells"])
def test_nothing_passing_is_a_result_that_json_can_hold(counts):
    summary = mark_quality(table_of(counts))
    assert summary["passed"] == 0
    assert summary["metrics"]["n_counts"]["after"]["median"] is None
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_bounds_the_wrong_way_round_are_refused():
    with pytest.raises(UserError, match="min_counts 50 is above max_counts 20"):
        mark_quality(table_of([GOOD]), min_counts=50, max_counts=20)


def test_what_removed_the_cells_is_told_most_first():
    table = table_of([GOOD, FEW, FEW, ONE_GENE])
    mark_quality(table)
    assert explain_removed(table.obs["qc_reason"]) == "2 by min_counts, 1 by min_genes"
