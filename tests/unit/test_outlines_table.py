"""cells.parquet holds the outlines of all cells, whatever the blocks, in a form that others can read."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from outline_check import area, assert_is_outline_of, decode
from outline_store import outline_records, write_cells

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.tables import outlines
from isthmus.tables.outline_pieces import OutlinePieces, outline_runs

AFFINE = Affine(0.2125, 0.0, 1000.25, 0.0, -0.2125, 7000.5)


def _labels(shape=(1, 40, 50), seed=0, n=30):
    """Blobs that touch each other, some in several parts; ids with gaps, in no order."""
    random = np.random.default_rng(seed)
    seeds = np.stack([random.integers(0, size, n) for size in shape], axis=1)
    places = np.stack(np.indices(shape), axis=-1)[..., np.newaxis, :]
    distance = ((places - seeds) ** 2).sum(axis=-1) + 20 * random.random((*shape, n))
    ids = random.permutation(10 * n)[:n] + 1
    return np.where(distance.min(axis=-1) < 45, ids[distance.argmin(axis=-1)], 0)


def _polygons(path):
    table = pq.read_table(path)
    return {
        id: decode(wkb)
        for id, wkb in zip(table["instance_id"].to_pylist(), table["geometry"].to_pylist(), strict=True)
    }


@pytest.mark.parametrize("block_px", [(1, 40, 50), (1, 16, 16), (1, 7, 50), (1, 1, 1), (1, 39, 3)])
def test_bytes_do_not_depend_on_blocks(tmp_path, block_px):
    labels = _labels()
    whole = write_cells(tmp_path / "whole", labels, affine=AFFINE)
    blocks = len(list(outline_records(labels, block_px)))
    order = np.random.default_rng(1).permutation(blocks)
    cut = write_cells(tmp_path / "cut", labels, block_px, order=order, affine=AFFINE)
    assert cut.read_bytes() == whole.read_bytes()
    assert [path.name for path in (tmp_path / "cut").iterdir() if "partial" in path.name] == []


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(outlines, "_columns", fail)
    with pytest.raises(OSError, match="disk full"):
        write_cells(tmp_path, _labels())
    assert not list(tmp_path.glob("*cells.parquet"))


def test_outlines_that_offsets_cannot_count_are_refused():
    batch = SimpleNamespace(ids=np.array([7]))
    with pytest.raises(UserError, match="more than 2 GiB"):
        outlines._columns(batch, SimpleNamespace(bounds=np.array([0, 1 << 31])), "a")


def test_bytes_of_a_volume_do_not_depend_on_blocks(tmp_path):
    labels = _labels((6, 14, 16), n=12)
    whole = write_cells(tmp_path / "whole", labels)
    for number, block_px in enumerate([(2, 14, 16), (6, 5, 5), (1, 3, 8)]):
        cut = write_cells(tmp_path / str(number), labels, block_px)
        assert cut.read_bytes() == whole.read_bytes()


def test_rows_are_the_instances_in_the_order_of_their_ids(tmp_path):
    labels = _labels()
    table = pq.read_table(write_cells(tmp_path, labels, (1, 16, 16)))
    ids = np.unique(labels[labels > 0])
    assert table["instance_id"].to_pylist() == ids.tolist()
    assert table["cell"].to_pylist() == [f"a-{i}" for i in ids]
    assert table.column_names == ["cell", "instance_id", "geometry", "bbox"]
    assert table["geometry"].type == pa.binary()


def test_each_outline_is_that_of_its_pixels(tmp_path):
    labels = _labels(seed=4)
    for number, polygons in _polygons(write_cells(tmp_path, labels, (1, 11, 13))).items():
        assert_is_outline_of(polygons, labels[0] == number)


def test_areas_and_places_are_those_of_the_pixels_in_micrometres(tmp_path):
    labels = _labels()
    path = write_cells(tmp_path, labels, (1, 16, 16), affine=AFFINE)
    boxes = dict(
        zip(*(pq.read_table(path)[name].to_pylist() for name in ("instance_id", "bbox")), strict=True)
    )
    for number, polygons in _polygons(path).items():
        rows, columns = np.nonzero(labels[0] == number)
        assert area(polygons) == pytest.approx(rows.size * AFFINE.pixel_area_um2, rel=1e-12)
        x, y = AFFINE.to_um(
            np.array([columns.min(), columns.max() + 1.0]), np.array([rows.max() + 1.0, rows.min()])
        )
        points = np.array([point for polygon in polygons for ring in polygon for point in ring])
        expected = {"xmin": x[0], "ymin": y[0], "xmax": x[1], "ymax": y[1]}
        assert boxes[number] == expected
        assert {"xmin": points[:, 0].min(), "ymax": points[:, 1].max()}.items() <= expected.items()


def test_an_instance_in_parts_may_have_whole_parts_in_many_blocks(tmp_path):
    """No part touches a seam, so no block knows that it does not see the whole."""
    labels = np.zeros((1, 24, 24), dtype=np.int64)
    for y, x in ((3, 3), (3, 15), (15, 3), (15, 15)):
        labels[0, y : y + 4, x : x + 4] = 9
        labels[0, y + 1, x + 1] = 4
    labels[0, 10:14, 2] = 9  # one part crosses a seam
    path = write_cells(tmp_path / "cut", labels, (1, 12, 12))
    assert path.read_bytes() == write_cells(tmp_path / "whole", labels).read_bytes()
    for number, polygons in _polygons(path).items():
        assert_is_outline_of(polygons, labels[0] == number)


def test_parts_above_each_other_have_one_footprint(tmp_path):
    labels = np.zeros((8, 9, 9), dtype=np.int64)
    labels[1, 2:6, 2:6] = 5
    labels[6, 4:8, 4:8] = 5
    path = write_cells(tmp_path, labels, (4, 9, 9))
    table = pq.read_table(path)
    assert (table["z_min_um"].to_pylist(), table["z_max_um"].to_pylist()) == ([2.0], [14.0])
    assert_is_outline_of(_polygons(path)[5], (labels == 5).any(axis=0))


def test_a_plane_has_no_z(tmp_path):
    assert "z_min_um" not in pq.read_schema(write_cells(tmp_path, _labels())).names


def test_the_file_says_that_it_is_geoparquet(tmp_path):
    path = write_cells(tmp_path, _labels(), affine=AFFINE)
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert (column["encoding"], column["crs"], column["orientation"]) == ("WKB", None, "counterclockwise")
    several = {len(polygons) > 1 for polygons in _polygons(path).values()}
    assert several == {True, False}
    assert column["geometry_types"] == ["MultiPolygon", "Polygon"]
    bbox = pq.read_table(path)["bbox"].combine_chunks()
    low, high = (min, min, max, max), ("xmin", "ymin", "xmax", "ymax")
    assert column["bbox"] == [f(bbox.field(name).to_pylist()) for f, name in zip(low, high, strict=True)]
    assert column["covering"] == {"bbox": {name: ["bbox", name] for name in high}}


def test_pandas_finds_the_names_of_the_cells_as_its_index(tmp_path):
    frame = pq.read_table(write_cells(tmp_path, _labels())).to_pandas()
    assert frame.index.name == "cell"
    assert frame.index.tolist() == [f"a-{i}" for i in frame["instance_id"]]
    assert frame.columns.tolist() == ["instance_id", "geometry", "bbox"]


def test_rows_are_written_a_batch_at_a_time(tmp_path, monkeypatch):
    labels = _labels()
    whole = pq.read_table(write_cells(tmp_path / "whole", labels))
    monkeypatch.setattr(outlines, "ROWS_OF_A_GROUP", 7)
    path = write_cells(tmp_path / "batches", labels, (1, 16, 16))
    assert pq.read_metadata(path).num_row_groups == -(-whole.num_rows // 7)
    assert pq.read_table(path).equals(whole)


def test_no_cells_are_a_table_without_rows(tmp_path):
    path = write_cells(tmp_path, np.zeros((1, 8, 8), dtype=np.int64), (1, 4, 4))
    assert pq.read_table(path).num_rows == 0
    column = json.loads(pq.read_schema(path).metadata[b"geo"])["columns"]["geometry"]
    assert column["geometry_types"] == []
    assert "bbox" not in column


def test_runs_of_an_outline_are_those_it_was_traced_from(tmp_path):
    labels = _labels(seed=2)
    pieces = OutlinePieces(tmp_path / "pieces", outline_records(labels, labels.shape))
    (batch,) = pieces.batches(1000)
    for i, number in enumerate(batch.ids):
        code = batch.code[batch.bounds[i] : batch.bounds[i + 1]]
        painted = np.zeros(labels.shape[1:], dtype=bool)
        runs = outline_runs(code, origin=batch.origin[i], z=batch.z[i])
        for _, y, start, stop in runs:
            painted[y, start:stop] = True
        assert np.array_equal(painted, labels[0] == number)
        assert len(runs) == 1 + np.count_nonzero(np.diff(painted.astype(int), axis=1, prepend=0) == 1)
