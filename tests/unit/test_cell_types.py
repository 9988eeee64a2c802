"""Gates and references are held against what was measured before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.config.models import Settings
from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader, ImagePart, PointsPart, SampleParts
from isthmus.launch.cell_types import check_cell_types

HEADER = ImageHeader((2, 1, 9, 9), "uint16", ("DNA", "CD3"), Affine.from_size(0.5))
IMAGE = ImagePart(HEADER, lambda: None, ())
POINTS = PointsPart(("x_um", "y_um", "gene"), lambda n: iter(()), ())


def check(points=None, **analysis) -> None:
    settings = Settings(samples=Path("s.tsv"), analysis=analysis)
    check_cell_types(
        settings,
        SampleParts("generic", IMAGE, tested_on_real_files=True, points=points),
        Sample(sample="a", where="row 2"),
    )


@pytest.fixture
def gates(tmp_path) -> Path:
    path = tmp_path / "gates.csv"
    path.write_text("cell_type,positive,negative\nT cell,CD3,CD30\n")
    return path


def test_what_fits_is_taken(gates):
    gates.write_text("cell_type,positive,negative\nT cell,CD3,\n")
    check(gating={"gates": gates})
    check(POINTS, annotation={"reference": Path("profiles.csv")})
    check()
    check(POINTS)


def test_a_rule_on_a_marker_that_is_not_measured(gates):
    with pytest.raises(
        UserError, match=r"gates.csv': marker 'CD30' is not among those measured; did you mean 'CD3'"
    ):
        check(gating={"gates": gates})


def test_gates_are_for_intensities_and_references_for_counts(gates):
    with pytest.raises(UserError, match=r"rules for intensities, but row 2 has counts; give a reference"):
        check(POINTS, gating={"gates": gates})
    with pytest.raises(
        UserError, match=r"profiles of counts, but row 2 has intensities only; name a marker table"
    ):
        check(annotation={"reference": Path("profiles.csv")})
