"""The page speaks of what the rows and columns of a run are, and of nothing that is not there."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import anndata
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report_folder import make_results

from isthmus.analyse.structures import summarise_structures
from isthmus.config.use_cases import USE_CASES
from isthmus.report.gather import read_run
from isthmus.report.page import render
from isthmus.report.text import as_code, short
from isthmus.report.words import words_of


def page_of(paths) -> str:
    """The page without its settings, files and scripts."""
    page = render(read_run(paths.root))
    return page.partition('<section class="part" id="parameters">')[0].partition("</style>")[2]


def test_every_use_case_has_words_of_its_own():
    def words(name, has_spots=False):
        return words_of(SimpleNamespace(settings={"use_case": name}, has_spots=has_spots))

    assert {words(name).rows for name in USE_CASES} == {"cells"}
    assert (words("spots", True).row, words("spots", True).features) == ("spot", "genes")
    assert words("screening").features == "measures"
    assert words("volumes").features == words("spatial_proteomics").features == "markers"
    assert words("single_cell").values == "expression"


def test_a_page_of_spots_counts_spots(tmp_path):
    paths = make_results(tmp_path / "r", images=False, settings={"use_case": "spots"})
    of = paths.sample("s1")
    record = json.loads(of.record("assess_quality").read_text())
    removed = {"in_tissue": 7}
    spots = {**record, "cells": 90, "passed": 83, "removed": removed, "missed": removed}
    of.record("assess_spots").write_text(json.dumps(spots))
    plan = json.loads(paths.plan.read_text())
    plan["samples"]["s1"]["has_spots"] = True
    paths.plan.write_text(json.dumps(plan))
    page = page_of(paths)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "83 of 90 spots passed" in text
    assert "90 spots 83 passed quality control" in text
    assert "nuclei" in text
    assert "in the tissue, as the vendor says" in text
    assert "Each point is a spot" in text
    assert "Spots grouped by what lies around them" in text
    assert "Spots have the counts of the array" in text
    assert "transcripts per cell" not in text


def test_measures_are_no_markers_and_spill_no_light(tmp_path):
    paths = make_results(tmp_path / "r", images=False, settings={"use_case": "screening"})
    table = anndata.read_h5ad(paths.cohort_table)
    table.uns["marker_means"] = pd.DataFrame({"leiden": ["0", "1"], "DNA_mean_cell": [0.5, -0.5]})
    table.write_h5ad(paths.cohort_table)
    page = page_of(paths)
    assert '<a href="#proteins">Measures</a>' in page
    assert "Light where it does not belong" not in page
    assert "similar measures" in page
    assert "marker genes" not in page


def test_an_image_that_was_segmented_twice_counts_once(tmp_path):
    paths = make_results(tmp_path / "r", samples=("a", "b"), images=False)
    both = render(read_run(paths.root))
    plan = json.loads(paths.plan.read_text())
    plan["samples"]["b"]["own"] = {"segmentation": {"method": "labels"}, "cells": {"expand_um": 0.0}}
    plan["samples"]["b"]["digests"]["segment_pack"] = "other"
    paths.plan.write_text(json.dumps(plan))
    once = render(read_run(paths.root))

    def cells(page):
        return int(re.search(r"<b>([\d,]+)</b><span>cells</span>", page)[1].replace(",", ""))

    assert cells(both) == 2 * cells(once)
    assert "Cells were imported as they are, and nothing is known of their nuclei" in once
    assert "imported as they are" not in both


@pytest.mark.parametrize("qualities", [True, False])
def test_quality_of_transcripts_is_told_where_there_is_one(tmp_path, qualities):
    paths = make_results(tmp_path / "r", images=False)
    columns = {"gene": ["A"], **({"qv": [30.0]} if qualities else {})}
    pq.write_table(pa.table(columns), paths.sample("s1").transcripts)
    page = page_of(paths)
    assert ("quality value of at least 20" in page) == qualities
    assert ("The data tell no quality of transcripts" in page) != qualities


def test_distances_to_structures_are_told_by_type(tmp_path):
    paths = make_results(tmp_path / "r", images=False)
    table = anndata.read_h5ad(paths.cohort_table)
    column = "distance_to_duct_um"
    table.obs[column] = [-2.0, 4.0] * (table.n_obs // 2) + [4.0] * (table.n_obs % 2)
    table.uns["structures"] = summarise_structures(table.obs, "leiden", {column: "Duct <1>"})
    table.write_h5ad(paths.cohort_table)
    page = page_of(paths)
    assert "Distance to Duct &lt;1&gt;" in page
    assert "structures that were drawn (Duct &lt;1&gt;)" in page
    n = (table.obs[column] < 0).sum()
    assert f'{table.n_obs}</td><td class="n">{100 * n / table.n_obs:.1f} %</td>' in page


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (950, "950"),
        (1200, "1,200"),
        (12_000, "12k"),
        (1_500_000, "1.5M"),
        (2e9, "2G"),
        (-3e6, "-3M"),
        (0.05, "0.05"),
    ],
)
def test_long_numbers_are_short_on_axes(value, told):
    assert short(value) == told


def test_words_between_backticks_are_code():
    assert as_code("see `condition` <b>") == "see <code>condition</code> &lt;b&gt;"
    assert as_code("plain") == "plain"
