"""The table of use cases: complete, consistent, and told in one line when an input is missing."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from isthmus.config.models import Settings
from isthmus.config.use_cases import INPUTS, USE_CASES, UseCaseName
from isthmus.errors import UserError


def test_every_name_has_an_entry_of_that_name():
    assert tuple(USE_CASES) == get_args(UseCaseName)
    assert all(case.name == name for name, case in USE_CASES.items())
    assert all(Settings(use_case=name, samples="samples.tsv").use_case == name for name in USE_CASES)


@pytest.mark.parametrize("case", USE_CASES.values(), ids=list(USE_CASES))
def test_entries_are_consistent(case):
    assert case.needs, "a use case without input"
    assert not set(case.needs) & set(case.may_have)
    assert set(case.needs) | set(case.may_have) <= set(INPUTS)
    assert ("image" in case.needs) == (case.rows == "cells")
    with pytest.raises(FrozenInstanceError):
        case.x = "counts"


@pytest.mark.parametrize("case", USE_CASES.values(), ids=list(USE_CASES))
def test_a_missing_input_is_one_line(case):
    case.check_inputs(case.needs, "samples.tsv, row 1")
    case.check_inputs(INPUTS, "samples.tsv, row 1")
    for name in case.needs:
        others = {*case.needs, *case.may_have} - {name, "reads"}
        with pytest.raises(UserError) as caught:
            case.check_inputs(others, "samples.tsv, row 1")
        line = str(caught.value)
        assert "\n" not in line
        assert line.startswith(f"samples.tsv, row 1: use case {case.name} needs a")
        assert f"column {name}" in line


def test_reads_stand_for_counts_where_cells_are_dissociated():
    USE_CASES["single_cell"].check_inputs(["reads"], "row 1")
    with pytest.raises(UserError, match="use case spots needs a table of counts"):
        USE_CASES["spots"].check_inputs(["reads", "image"], "row 1")


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        (
            "imaging_transcriptomics",
            ["image", "counts"],
            "column counts: use case imaging_transcriptomics reads no",
        ),
        ("screening", ["image", "counts"], r"choose a use case that does \(spots, single_cell\)"),
        ("volumes", ["image", "reads"], r"column reads: .* leave the column empty, .* \(single_cell\)"),
        ("single_cell", ["counts", "image"], "column image: use case single_cell reads no image"),
        ("spots", ["counts", "transcripts"], "column transcripts: use case spots reads no transcripts"),
    ],
)
def test_a_column_that_nothing_reads_is_told(name, given, told):
    with pytest.raises(UserError, match=told):
        USE_CASES[name].check_columns(given, "samples.tsv, row 1")


@pytest.mark.parametrize("case", USE_CASES.values(), ids=list(USE_CASES))
def test_columns_that_are_read_may_be_filled(case):
    case.check_columns([*case.needs, *case.may_have], "samples.tsv, row 1")
