"""Profiles of wells: effects of a plate are found, compounds are not taken for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.analyse.plate_effects import can_be_found, find_effects
from isthmus.analyse.plate_map import read_plate_map, well_key
from isthmus.analyse.profiles import ProfileOptions, profile_wells
from isthmus.errors import UserError

ROWS, COLUMNS = 8, 12
WELLS = [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13)]


def _places():
    row, column = np.divmod(np.arange(96), COLUMNS)
    return row, column


@given(seed=st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_effects_of_rows_and_columns_are_found_again(seed: int) -> None:
    """Additive effects over rare strong wells: what is left are the wells alone."""
    random = np.random.default_rng(seed)
    row, column = _places()
    of_row, of_column = random.normal(size=ROWS), random.normal(size=COLUMNS)
    hits = random.choice(96, 5, replace=False)
    values = (of_row[row] + of_column[column]) + 7.0
    treated = values.copy()
    treated[hits] += 20
    found = find_effects(treated[:, np.newaxis], row, column, [""] * 96)
    left = treated - found.of_wells(row, column)[:, 0]
    others = np.setdiff1d(np.arange(96), hits)
    assert np.ptp(left[others]) < 1.0, "a fifth of what rows and columns differ by, at most"
    assert (left[hits] - np.median(left[others]) > 18).all()


def test_what_is_known_to_be_treated_alike_is_no_effect_of_its_rows() -> None:
    row, column = _places()
    random = np.random.default_rng(3)
    strong = random.random(96) < 0.4
    values = (2.0 * strong + 0.5 * column)[:, np.newaxis]
    known = find_effects(values, row, column, np.where(strong, "drug", "none").tolist())
    left = (values - known.of_wells(row, column))[:, 0]
    assert np.ptp(left[~strong]) < 1e-4
    assert np.ptp(left[strong]) < 1e-4
    assert np.median(left[strong]) - np.median(left[~strong]) == pytest.approx(2.0, abs=1e-4)


def test_wells_without_values_and_short_rows_have_no_effect() -> None:
    row, column = _places()
    values = np.full((96, 2), 3.0)
    values[:10, 0] = np.nan
    found = find_effects(values, row, column, [""] * 96)
    assert not found.rows.any()
    assert not found.columns.any()
    few = find_effects(np.arange(6.0)[:, np.newaxis], np.arange(6), np.zeros(6, int), [""] * 6)
    assert not few.rows.any()


@pytest.mark.parametrize(("n_rows", "n_columns", "enough"), [(4, 4, True), (3, 12, False), (8, 3, False)])
def test_small_plates_are_left_as_they_are(n_rows: int, n_columns: int, enough: bool) -> None:
    row, column = np.divmod(np.arange(n_rows * n_columns), n_columns)
    assert can_be_found(row, column) is enough


@pytest.mark.parametrize(
    ("name", "key"),
    [("B02", "B2"), ("b2", "B2"), (" AA10 ", "AA10"), ("B00", None), ("22", None), ("B2-1", None)],
)
def test_wells_have_one_name(name: str, key: str | None) -> None:
    assert well_key(name) == key


def _cells(n_per_well: int = 20, seed: int = 0) -> AnnData:
    """Wells of 8 x 12; light from column to column; a drug in every fifth well doubles `GFP` and halves the cells."""
    random = np.random.default_rng(seed)
    wells, values, areas = [], [], []
    for number, well in enumerate(WELLS):
        drug = number % 5 == 0
        n = n_per_well // 2 if drug else n_per_well
        light = 1 + 0.1 * (number % COLUMNS)
        wells += [well] * n
        values += (light * (2.0 if drug else 1.0) * random.normal(100, 3, n)).tolist()
        areas += random.normal(50, 2, n).tolist()
    obs = pd.DataFrame({"well": wells, "qc_pass": True, "area_um2": areas})
    obs.index = obs.index.astype(str)
    table = AnnData(X=np.zeros((len(obs), 1)), obs=obs)
    table.obsm["intensity"] = pd.DataFrame({"GFP_mean_cell": values}, index=obs.index)
    return table


def _wells() -> pd.DataFrame:
    return pd.DataFrame(
        {"row": [w[0] for w in WELLS], "column": [w[1:] for w in WELLS], "n_images": 1}, index=pd.Index(WELLS)
    )


@pytest.fixture
def plate_map(tmp_path: Path) -> Path:
    path = tmp_path / "map.tsv"
    lines = ["well\ttreatment"]
    lines += [f"{w[0].lower()}{int(w[1:])}\t{'drug' if n % 5 == 0 else 'none'}" for n, w in enumerate(WELLS)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_profile_is_the_distance_from_the_controls(plate_map: Path) -> None:
    options = ProfileOptions(plate_map=plate_map, controls="treatment=none")
    made = profile_wells(_cells(), _wells(), sample="p", options=options)
    assert list(made.var_names) == ["n_cells", "area_um2", "GFP_mean_cell"]
    drug = (made.obs["treatment"] == "drug").to_numpy()
    gfp = list(made.var_names).index("GFP_mean_cell")
    before, after = (made.layers[name][:, gfp] for name in ("median", "corrected"))
    assert before[~drug].max() / before[~drug].min() > 1.8, "light doubles along the plate"
    assert after[~drug].max() / after[~drug].min() < 1.15
    assert np.median(after[drug]) / np.median(after[~drug]) == pytest.approx(2.0, rel=0.05)
    assert (made.X[drug, gfp] > 20).all()
    assert np.abs(np.median(made.X[~drug], axis=0)).max() < 1e-9
    spread = 1.4826 * np.median(np.abs(after[~drug] - np.median(after[~drug])))
    assert made.var["control_spread"].iloc[gfp] == pytest.approx(spread)
    assert made.X[0, gfp] == pytest.approx((after[0] - np.median(after[~drug])) / spread)
    assert made.layers["median"][:, 0].tolist() == [10 if flag else 20 for flag in drug]
    assert made.uns["plate_effects"]["method"] == "median polish beside the effect of treatment"
    of_columns = made.uns["plate_effects"]["columns"][:, gfp]
    wanted = 1 + 0.1 * np.arange(COLUMNS)
    assert np.allclose(of_columns / of_columns[0], wanted, rtol=0.06)


def test_nothing_is_corrected_where_that_is_not_asked_for(plate_map: Path) -> None:
    options = ProfileOptions(plate_map=plate_map, controls="treatment=none", plate_effects="none")
    made = profile_wells(_cells(), _wells(), sample="p", options=options)
    assert np.array_equal(made.layers["corrected"], made.layers["median"])
    assert made.uns["plate_effects"] == {"method": "none: not asked for"}


def test_wells_without_cells_stay_and_have_no_profile(plate_map: Path) -> None:
    cells = _cells()
    cells = cells[cells.obs["well"] != "A02"].copy()
    cells.obs.loc[cells.obs["well"] == "A03", "qc_pass"] = False
    made = profile_wells(cells, _wells(), sample="p", options=ProfileOptions(plate_map=plate_map))
    assert made.obs["n_cells"].loc[["A02", "A03"]].tolist() == [0, 0]
    assert np.isnan(made.X[1:3, 1:]).all()
    assert np.isfinite(made.X[0, 1:]).all()
    assert made.obs["is_control"].all(), "without controls each well is compared with all"


def test_cells_in_a_well_that_is_not_there_are_our_fault() -> None:
    with pytest.raises(ValueError, match="wells that the plate does not have"):
        profile_wells(_cells(), _wells().iloc[1:], sample="p", options=ProfileOptions())


def _map_fault(tmp_path: Path, text: str) -> str:
    path = tmp_path / "map.tsv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_plate_map(path, sample="p", wells=["A01", "A02"])
    return str(caught.value)


def test_faults_of_a_plate_map_are_named(tmp_path: Path) -> None:
    assert "no column 'well', only wel, drug; did you mean 'wel'?" in _map_fault(
        tmp_path, "wel\tdrug\nA1\tx\n"
    )
    assert "row 3: 'two' is no well" in _map_fault(tmp_path, "well\tdrug\nA1\tx\ntwo\ty\n")
    assert "row 3: well A1 is described twice" in _map_fault(tmp_path, "well\tdrug\nA1\tx\nA01\ty\n")
    assert "no row for well A02, which the plate has (1 are missing)" in _map_fault(
        tmp_path, "well\tdrug\nA1\tx\n"
    )
    assert "column 'n_cells' is the name of a column" in _map_fault(tmp_path, "well\tn_cells\nA1\t3\n")
    assert "it has no rows of sample 'p'" in _map_fault(tmp_path, "well\tsample\nA1\tq\n")


def test_a_plate_map_may_describe_several_plates(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("well,sample,drug\nA1,q,no\nA1,p,x\nA2,p,y\n")
    found = read_plate_map(path, sample="p", wells=["A02", "A01"])
    assert found["drug"].to_dict() == {"A02": "y", "A01": "x"}
    assert list(found.columns) == ["drug"]


@pytest.mark.parametrize(
    ("controls", "told"),
    [
        ("treatmint=none", "no column 'treatmint'"),
        ("treatment=nome", "no well has 'nome' in column treatment; did you mean 'none'?"),
    ],
)
def test_controls_that_are_not_there_are_named(plate_map: Path, controls: str, told: str) -> None:
    options = ProfileOptions(plate_map=plate_map, controls=controls)
    with pytest.raises(UserError, match=r".") as caught:
        profile_wells(_cells(), _wells(), sample="p", options=options)
    assert told in str(caught.value)


def test_controls_need_a_plate_map_and_more_than_two_wells(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no plate map"):
        profile_wells(_cells(), _wells(), sample="p", options=ProfileOptions(controls="a=b"))
    path = tmp_path / "map.tsv"
    path.write_text("well\ta\n" + "".join(f"{w}\t{'b' if n < 2 else 'c'}\n" for n, w in enumerate(WELLS)))
    with pytest.raises(UserError, match="2 wells are controls"):
        profile_wells(_cells(), _wells(), sample="p", options=ProfileOptions(plate_map=path, controls="a=b"))
