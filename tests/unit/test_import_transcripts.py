"""Micrometres to pixels, and rows to runs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from isthmus.blocks.grid import Region
from isthmus.errors import UserError
from isthmus.quantify.points import open_run, run_paths
from isthmus.readers.points import canonical_batches
from isthmus.steps import import_transcripts
from isthmus.steps.import_transcripts import bin_transcripts


def _sample(shape=(1, 1, 300, 600), window=None, affine=(0.5, 0, 0, 0, 0.5, 0), z_step_um=2.0):
    """What `bin_transcripts` needs of a plan; window is (z, y, x) start and stop."""
    start, stop = window or ((0, 0, 0), shape[1:])
    return SimpleNamespace(
        shape=shape,
        points_shape=shape[1:],
        points_window=Region(start, stop),
        affine=affine,
        z_step_um=z_step_um,
        plane_step_um=None,
    )


def _batches(sizes=None, **columns):
    n = len(columns["x_um"])
    columns.setdefault("gene", ["a"] * n)
    table = pa.RecordBatch.from_pydict(columns)

    def raw(_):
        start = 0
        for size in sizes or [n]:
            yield table.slice(start, size)
            start += size

    return canonical_batches(raw, "table", 1 << 20)


def _binned(folder, sample, batches):
    """The tally, and (row, z, y, x, feature, qv) of every transcript, in the order of the input."""
    folder.mkdir(exist_ok=True)
    tally = bin_transcripts(batches, sample, folder)
    found = []
    for path in run_paths(folder):
        run = open_run(path)
        tile = np.repeat(run.tiles, np.diff(run.first))
        down, across = run.lattice
        for point, k in zip(run.points.tolist(), tile.tolist(), strict=True):
            row, feature, qv, z, y, x = point
            assert row < run.n_rows
            found.append(
                (run.first_row + row, z, k // across % down * 256 + y, k % across * 256 + x, feature, qv)
            )
    return tally, sorted(found)


def test_a_pixel_covers_its_lower_border_but_not_its_upper(tmp_path):
    x = [0.0, 0.5, np.nextafter(0.5, 0), 299.99, 300.0, -1e-9, -0.0]
    tally, found = _binned(tmp_path, _sample(), _batches(x_um=x, y_um=[149.75] * 7))
    assert [(row, y, x) for row, _, y, x, _, _ in found] == [
        (0, 299, 0),
        (1, 299, 1),
        (2, 299, 0),
        (3, 299, 599),
        (6, 299, 0),
    ]
    assert (tally.n_rows, tally.n_in_image, tally.n_in_window) == (7, 5, 5)


def test_single_and_double_precision_of_the_same_value_lie_alike(tmp_path):
    x = np.random.default_rng(0).random(500).astype(np.float32) * 300
    one = _binned(tmp_path / "a", _sample(), _batches(x_um=x, y_um=x[::-1] / 2))[1]
    other = _binned(
        tmp_path / "b", _sample(), _batches(x_um=x.astype(float), y_um=(x[::-1] / 2).astype(float))
    )[1]
    assert one == other
    assert len(one) > 400


def test_far_outside_is_outside(tmp_path):
    far = [1e300, -1e300, 2.0**63, -(2.0**63), 9e18, -5.0, 1.0]
    tally, found = _binned(tmp_path, _sample(), _batches(x_um=far, y_um=[1.0] * 7))
    assert [row for row, *_ in found] == [6]
    assert tally.n_rows == 7


def test_a_window_of_a_turned_and_moved_image(tmp_path):
    affine = (0.0, -0.5, 100.0, 0.5, 0.0, 20.0)  # x grows against the rows, y along the columns
    sample = _sample(window=((0, 100, 200), (1, 300, 500)), affine=affine)
    random = np.random.default_rng(2)
    x, y = random.uniform(-60, 110, 3000), random.uniform(10, 330, 3000)
    tally, found = _binned(tmp_path, sample, _batches(x_um=x, y_um=y))
    column, row = np.floor((y - 20) / 0.5), np.floor((100 - x) / 0.5)
    inside = (column >= 200) & (column < 500) & (row >= 100) & (row < 300)
    wanted = [(k, 0, int(row[k]) - 100, int(column[k]) - 200) for k in np.flatnonzero(inside)]
    assert [point[:4] for point in found] == wanted
    assert tally.n_in_window == len(wanted) > 500
    assert tally.n_in_image == ((column >= 0) & (column < 600) & (row >= 0) & (row < 300)).sum()


def test_z_counts_in_a_volume_only(tmp_path):
    z = [0.0, 1.99, 2.0, 7.999, 8.0, -0.001, 1e300]
    columns = {"x_um": [1.0] * 7, "y_um": [1.0] * 7, "z_um": z}
    tally, found = _binned(tmp_path / "volume", _sample((1, 4, 300, 600)), _batches(**columns))
    assert [(row, plane) for row, plane, *_ in found] == [(0, 0), (1, 0), (2, 1), (3, 3)]
    assert (tally.n_in_image, tally.n_in_window) == (4, 4)
    _, found = _binned(tmp_path / "plane", _sample(), _batches(**columns))
    assert [(row, plane) for row, plane, *_ in found] == [(row, 0) for row in range(7)]


def test_a_volume_without_z_has_all_in_its_first_plane(tmp_path):
    _, found = _binned(tmp_path, _sample((1, 4, 300, 600)), _batches(x_um=[1.0], y_um=[2.0]))
    assert found == [(0, 0, 4, 2, 0, np.inf)]


def test_quality_is_infinite_where_there_is_none_and_unknown_where_it_is_empty(tmp_path):
    xy = {"x_um": [1.0, 1.0], "y_um": [1.0, 1.0]}
    assert [p[5] for p in _binned(tmp_path / "a", _sample(), _batches(**xy))[1]] == [np.inf, np.inf]
    found = _binned(tmp_path / "b", _sample(), _batches(**xy, qv=[12.5, None]))[1]
    assert found[0][5] == 12.5
    assert np.isnan(found[1][5])


@pytest.mark.parametrize("sizes", [[9], [1] * 9, [4, 0, 5], [2, 7]])
def test_codes_are_those_of_the_first_appearance(tmp_path, sizes, monkeypatch):
    monkeypatch.setattr(import_transcripts, "RUN_ROWS", 3)
    genes = ["b", "a", "b", "c", "a", "a", "d", "c", "b"]
    tally, found = _binned(tmp_path, _sample(), _batches(sizes, x_um=[1.0] * 9, y_um=[1.0] * 9, gene=genes))
    assert list(tally.codes) == ["b", "a", "c", "d"]
    assert [list(tally.codes)[point[4]] for point in found] == genes


def test_more_genes_than_sixteen_bits_hold(tmp_path):
    n = 70_000
    genes = [f"g{k}" for k in range(n)]
    tally, found = _binned(tmp_path, _sample(), _batches(x_um=np.ones(n), y_um=np.ones(n), gene=genes))
    assert len(tally.codes) == n
    assert [point[4] for point in found] == list(range(n))


@pytest.mark.parametrize("limits", [(5, 1 << 32), (1 << 22, 8), (5, 8), (1, 1)])
def test_runs_are_bounded_and_cover_the_rows(tmp_path, monkeypatch, limits):
    monkeypatch.setattr(import_transcripts, "RUN_ROWS", limits[0])
    monkeypatch.setattr(import_transcripts, "_LONGEST_RUN", limits[1])
    x = np.where(np.arange(40) % 3, 1.0, -1.0)
    x[10:31] = -1.0
    sizes = [1, 2, 3, 1, 1, 2, 4, 3, 3, 4, 4, 2, 1, 3, 2, 4]
    assert sum(sizes) == 40
    tally, found = _binned(tmp_path, _sample(), _batches(sizes, x_um=x, y_um=[1.0] * 40))
    assert [row for row, *_ in found] == np.flatnonzero(x > 0).tolist()
    end = 0
    for path in run_paths(tmp_path):
        run = open_run(path)
        assert run.first_row >= end
        assert run.points.size <= max(limits[0], 4)
        assert run.n_rows <= max(limits[1], 4)
        end = run.first_row + run.n_rows
    assert end <= tally.n_rows == 40


def test_no_row_in_the_window_makes_no_run(tmp_path):
    sample = _sample(window=((0, 0, 0), (1, 10, 10)))
    tally, found = _binned(tmp_path, sample, _batches(x_um=[100.0] * 3, y_um=[100.0] * 3))
    assert found == []
    assert run_paths(tmp_path) == []
    assert (tally.n_in_image, tally.n_in_window) == (3, 0)


def test_where_rows_outside_the_image_lie_is_known(tmp_path):
    tally, _ = _binned(tmp_path, _sample(), _batches([1, 2], x_um=[-5.0, 400, 900], y_um=[-7.0, 1, 800]))
    assert tally.low.tolist() == [-5, -7]
    assert tally.high.tolist() == [900, 800]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, None])
@pytest.mark.parametrize("name", ["x_um", "y_um", "z_um"])
def test_a_coordinate_that_is_no_number_names_its_row(tmp_path, name, value):
    columns = {key: pa.array([1.0] * 5) for key in ("x_um", "y_um", "z_um")}
    columns[name] = pa.array([1.0, 1.0, 1.0, value, 1.0], from_pandas=False)
    with pytest.raises(UserError, match=f"row 4: {name} is missing or not a finite number"):
        _binned(tmp_path, _sample(), _batches([2, 3], **columns))


@pytest.mark.parametrize("dtype", [pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.binary()])
@pytest.mark.parametrize("value", [None, ""])
def test_a_gene_without_a_name_names_its_row(tmp_path, value, dtype):
    values = ["a", "b", value, "a"]
    if dtype == pa.binary():
        values = [v if v is None else v.encode() for v in values]
    genes = pa.array(values, pa.string() if pa.types.is_dictionary(dtype) else dtype)
    genes = genes.dictionary_encode() if pa.types.is_dictionary(dtype) else genes
    with pytest.raises(UserError, match="row 3: gene is missing"):
        _binned(tmp_path, _sample(), _batches([1, 3], x_um=[1.0] * 4, y_um=[1.0] * 4, gene=genes))


def test_an_empty_name_that_no_row_has_does_no_harm(tmp_path):
    genes = pa.DictionaryArray.from_arrays(pa.array([2, 0]), pa.array(["a", "", "b", None]))
    tally, found = _binned(tmp_path, _sample(), _batches(x_um=[1.0] * 2, y_um=[1.0] * 2, gene=genes))
    assert list(tally.codes) == ["b", "a"]
    assert len(found) == 2
