"""What the page says of batches, conditions and places."""

import pytest
from report_folder import make_results

from isthmus.report.gather import read_run
from isthmus.report.page import render
from isthmus.report.sections_compare import composition_section, mixing_section


def test_batches_side_by_side_are_told_with_what_was_measured(tmp_path):
    run = read_run(make_results(tmp_path / "r", samples=("a", "b"), images=False).root)
    section = mixing_section(run)
    assert section is not None
    assert (section.corrected, section.batch_column) == (False, "sample")
    assert section.rows[0] == ("Batches among near cells (LISI)", "mixing", 0.1234, None)
    page = render(run)
    assert "stand side by side without correction" in page
    assert ">0.12<" in page
    assert "Harmony" not in page


def test_a_correction_shows_both_values_and_is_cited(tmp_path):
    page = render(
        read_run(make_results(tmp_path / "r", samples=("a", "b"), images=False, corrected=True).root)
    )
    assert "brought together with Harmony" in page
    assert ">0.12<" in page
    assert ">0.80<" in page
    assert "10.1038/s41592-019-0619-0" in page


def test_conditions_that_were_tested_are_told_most_significant_first(tmp_path):
    run = read_run(make_results(tmp_path / "r", samples=("a", "b"), images=False, tested_types=True).root)
    section = composition_section(run)
    assert section is not None
    assert section.conditions == ["ill", "well"]
    assert section.rows[0] == ("B", 10, [0.3, 0.1], 0.0123, 0.0123)
    page = render(run)
    assert "4 samples of 2 conditions" in page
    assert "10.1093/bioinformatics/btac582" in page


def test_without_a_test_there_are_shares_and_no_p_values(tmp_path):
    run = read_run(make_results(tmp_path / "r", samples=("a", "b"), images=False).root)
    section = composition_section(run)
    assert section is not None
    assert section.tested is False
    page = render(run)
    assert ">adjusted p<" not in page
    assert "btac582" not in page


@pytest.mark.parametrize("corrected", [True, False])
def test_a_single_sample_is_not_compared(tmp_path, corrected):
    run = read_run(make_results(tmp_path / "r", images=False, corrected=corrected).root)
    assert composition_section(run) is None


def test_niches_distances_and_spatial_genes_are_told(tmp_path):
    page = render(read_run(make_results(tmp_path / "r", images=False).root))
    assert "0 (30)" in page
    assert "0 to 20 µm" in page
    assert ">3.22<" in page
    assert ">9.00<" not in page, "three pairs are no evidence"
    assert "1 of 2 genes are more alike" in page
    assert "KRT8 <small>0.61" in page
