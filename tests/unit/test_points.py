"""Transcripts binned by place: each block reads its own, all of them and no others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from isthmus.blocks.grid import Grid, Region
from isthmus.quantify import points
from isthmus.quantify.points import SCHEMA, TILE_PX, read_block, write_run

SHAPE = (3, 700, 1000)
ACROSS = -(-SHAPE[2] // TILE_PX)


def _columns(n, seed=0, shape=SHAPE):
    random = np.random.default_rng(seed)
    made = {"row": random.permutation(n).astype(np.int64)}
    for axis, name in enumerate("zyx"):
        made[name] = random.integers(0, shape[axis], n).astype(np.int32)
    # Half of them on the borders of tiles and blocks, some on one and the same pixel.
    made["y"][::4] = made["y"][::4] // 256 * 256
    made["x"][::6] = np.minimum(made["x"][::6] // 256 * 256 + 255, shape[2] - 1)
    for name in "zyx":
        made[name][:5] = made[name][0]
    made["gene"] = random.integers(0, 9, n).astype(np.int32)
    made["qv"] = np.where(random.random(n) < 0.1, np.inf, random.random(n) * 40).astype(np.float32)
    return made


def _write(folder, columns, runs):
    for run, rows in enumerate(np.array_split(np.arange(columns["row"].size), runs)):
        write_run(folder / f"run-{run:04d}.arrow", {k: v[rows] for k, v in columns.items()}, ACROSS)


def _rows(block):
    return sorted(block.row.tolist())


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("block_px", [(1, 256, 256), (2, 100, 333), (64, 1024, 1024), (3, 1, 1000)])
def test_each_block_reads_its_own(tmp_path, runs, block_px):
    columns = _columns(600)
    _write(tmp_path, columns, runs)
    grid = Grid(SHAPE, block_px)
    seen = []
    for index in range(0, grid.n_blocks, 1 if grid.n_blocks < 100 else 37):
        write = grid.block(index).write
        inside = np.ones(600, dtype=bool)
        for axis, name in enumerate("zyx"):
            inside &= (columns[name] >= write.start[axis]) & (columns[name] < write.stop[axis])
        found = read_block(tmp_path, write)
        assert _rows(found) == sorted(columns["row"][inside].tolist())
        seen += _rows(found)
    if grid.n_blocks < 100:
        assert sorted(seen) == list(range(600))


def test_a_row_keeps_its_values(tmp_path):
    columns = _columns(200)
    _write(tmp_path, columns, 2)
    found = read_block(tmp_path, Region((0, 0, 0), SHAPE))
    order = np.argsort(columns["row"])
    mine = np.argsort(found.row)
    for name in SCHEMA.names:
        assert np.array_equal(getattr(found, name)[mine], columns[name][order]), name
        assert getattr(found, name).dtype == SCHEMA.field(name).type.to_pandas_dtype()


def test_small_batches_inside_a_run_change_nothing(tmp_path, monkeypatch):
    columns = _columns(500)
    _write(tmp_path, columns, 1)
    whole = [_rows(read_block(tmp_path, Grid(SHAPE, (3, 300, 300)).block(i).write)) for i in range(12)]
    monkeypatch.setattr(points, "RUN_ROWS", 7)
    _write(tmp_path, columns, 1)
    with pa.memory_map(str(tmp_path / "run-0000.arrow")) as source:
        assert pa.ipc.open_file(source).num_record_batches == 72
    assert [
        _rows(read_block(tmp_path, Grid(SHAPE, (3, 300, 300)).block(i).write)) for i in range(12)
    ] == whole


def test_no_runs_and_empty_runs_have_no_points(tmp_path):
    write = Region((0, 0, 0), (1, 256, 256))
    found = read_block(tmp_path, write)
    assert found.row.size == found.qv.size == 0
    assert found.y.dtype == np.int32
    write_run(tmp_path / "run-0000.arrow", {k: v[:0] for k, v in _columns(5).items()}, ACROSS)
    assert read_block(tmp_path, write).row.size == 0


def test_a_run_half_written_is_not_read(tmp_path):
    columns = _columns(50)
    _write(tmp_path, columns, 1)
    (tmp_path / "run-0001.partial").write_bytes(b"half")
    assert read_block(tmp_path, Region((0, 0, 0), SHAPE)).row.size == 50


def test_tiles_far_out_have_no_other_tiles_points(tmp_path):
    columns = _columns(1)
    for name, value in (("z", 0), ("y", 256), ("x", 0)):
        columns[name][:] = value
    _write(tmp_path, columns, 1)
    assert read_block(tmp_path, Region((0, 0, 768), (1, 256, 1000))).row.size == 0
    assert read_block(tmp_path, Region((0, 256, 0), (1, 257, 1))).row.size == 1
