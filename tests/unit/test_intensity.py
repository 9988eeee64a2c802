"""Intensities from integer sums."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isthmus.blocks.grid import Region
from isthmus.quantify.groups import group_spans
from isthmus.quantify.spans import find_spans
from isthmus.quantify.sums import add_channel, add_geometry, empty_sums
from isthmus.tables.intensity import intensity_columns
from isthmus.tables.merge import merge_sums

NAMES = ("shape", "bounds", "flags", "intensity", "extremes")


def _table(values, nucleus, dtype=np.uint16):
    cells = np.ones((1, 1, len(values)), dtype=np.int32)
    nuclei = np.array(nucleus, dtype=np.int32).reshape(cells.shape)
    sums = empty_sums(1, 1)
    spans = find_spans(cells, nuclei)
    add_geometry(sums, spans, write=Region((0, 0, 0), cells.shape), image_shape=cells.shape)
    groups = group_spans(spans, 1, len(values))
    pixels = np.array(values, dtype=dtype).reshape(cells.shape)
    add_channel(sums, 0, groups.values(pixels), groups.offsets)
    merged = merge_sums([{"ids": np.array([5]), **{name: getattr(sums, name) for name in NAMES}}])
    return intensity_columns(merged, ["DAPI"], pd.Index(["s-5"]))


def test_each_compartment_by_itself():
    table = _table([10, 20, 60, 100], [1, 1, 0, 0])
    row = table.loc["s-5"]
    assert row["DAPI_mean_nucleus"] == 15
    assert row["DAPI_std_nucleus"] == 5
    assert row["DAPI_mean_cytoplasm"] == 80
    assert (row["DAPI_min_cell"], row["DAPI_max_cell"], row["DAPI_sum_cell"]) == (10, 100, 190)
    assert table.shape == (1, 15)


def test_a_cell_that_is_all_nucleus_has_no_cytoplasm():
    row = _table([4, 4], [1, 1]).loc["s-5"]
    assert row["DAPI_sum_cytoplasm"] == 0
    assert row[[f"DAPI_{m}_cytoplasm" for m in ("mean", "std", "min", "max")]].isna().all()
    assert row["DAPI_mean_cell"] == 4


@pytest.mark.parametrize("offset", [0, 60_000, 65_000])
def test_spread_does_not_drown_in_brightness(offset):
    values = np.random.default_rng(2).integers(0, 500, 3000) + offset
    row = _table(values, np.zeros(values.size)).loc["s-5"]
    np.testing.assert_allclose(row["DAPI_std_cell"], values.std(), rtol=1e-12)
    np.testing.assert_allclose(row["DAPI_mean_cell"], values.mean(), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_extreme_values(dtype):
    top = np.iinfo(dtype).max
    row = _table([0, top], [0, 0], dtype).loc["s-5"]
    assert (row["DAPI_min_cell"], row["DAPI_max_cell"]) == (0, top)
    assert row["DAPI_std_cell"] == top / 2


def test_equal_values_have_no_spread():
    assert _table([60_001] * 7, [0] * 7).loc["s-5", "DAPI_std_cell"] == 0
