"""Options that are given and not used are told; the methods text tells those that are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from isthmus.config.models import CellsOptions, Settings
from isthmus.config.notes import notes_of
from isthmus.report.methods import methods_text


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        ({}, []),
        ({"expand_um": 0.0}, []),
        ({"guide": {"channel": "CD45", "kind": "cytoplasm", "weight": 2.0}}, []),
        ({"guide": {"kind": "cytoplasm"}}, ["cells.guide.kind"]),
        ({"guide": {"kind": "cytoplasm", "weight": 2.0}}, ["cells.guide.kind", "cells.guide.weight"]),
        ({"guide": {"channel": "CD45"}, "expand_um": 0.0}, ["cells.guide.channel"]),
    ],
)
def test_options_that_are_not_used_are_told(options, starts):
    notes = notes_of(CellsOptions.model_validate(options))
    assert [note.split(" is not used")[0] for note in notes] == starts


def _methods(**options):
    settings = Settings.model_validate({"samples": "s.tsv", **options}).model_dump(mode="json")
    sample = SimpleNamespace(
        plan=SimpleNamespace(
            n_images=1,
            layout="image",
            spacing_um=(1.0, 0.5, 0.5),
            channels=("DAPI", "CD45"),
            has_points=False,
            has_image=True,
            own={},
        ),
    )
    plan = SimpleNamespace(settings=settings, isthmus="0.1.0", has_spots=False)
    tables = dict.fromkeys(("cohort", "neighbourhood", "composition", "proteins", "omics", "structures"))
    run = SimpleNamespace(plan=plan, samples=(sample,), notes={}, **tables)
    return " ".join(methods_text(run))


def test_methods_tell_guide_and_window():
    text = _methods(
        cells={"guide": {"channel": "CD45", "kind": "cytoplasm", "weight": 2.5}},
        image={"region_um": [10, 20, 30.5, 40]},
    )
    assert "paths in channel CD45" in text
    assert "(kind cytoplasm, weight 2.5)." in text
    assert "in the window from 10 to 30.5 µm in x and from 20 to 40 µm in y." in text


def test_methods_tell_nothing_that_was_not_done():
    for cells in ({}, {"guide": {"weight": 2.5}}, {"guide": {"channel": "CD45"}, "expand_um": 0.0}):
        text = _methods(cells=cells)
        assert "channel CD45" not in text
        assert "weight" not in text
        assert "window" not in text
