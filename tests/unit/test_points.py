"""Transcripts binned by place: each block reads its own, all of them and no others."""

from __future__ import annotations

import numpy as np
import pytest
from binned import bin_points

from isthmus.blocks.grid import Grid, Region
from isthmus.errors import UserError
from isthmus.quantify.binning import sort_by_tile
from isthmus.quantify.points import TILE_PX, empty_points, open_run, run_paths, save_run, segments

SHAPE = (70, 700, 1000)
WHOLE = Region((0, 0, 0), SHAPE)


def _columns(n, seed=0, shape=SHAPE):
    random = np.random.default_rng(seed)
    made = {name: random.integers(0, shape[axis], n) for axis, name in enumerate("zyx")}
    # Half of them on the borders of tiles and blocks, some on one and the same pixel.
    made["y"][::4] = made["y"][::4] // 256 * 256
    made["x"][::6] = np.minimum(made["x"][::6] // 256 * 256 + 255, shape[2] - 1)
    made["z"][::5] = 63
    for name in "zyx":
        made[name][:5] = made[name][0]
    made["gene"] = random.integers(0, 9, n)
    made["qv"] = np.where(random.random(n) < 0.1, np.inf, random.random(n) * 40).astype(np.float32)
    return made


def _read(folder, region):
    """Row, z, y, x, feature and qv of the transcripts in a region."""
    found = []
    for part in segments(folder, region):
        tile = np.repeat(part.tiles, np.diff(part.first))
        down, across = part.run.lattice
        z = part.points["z"].astype(int)
        y = tile // across % down * TILE_PX[1] + part.points["y"]
        x = tile % across * TILE_PX[2] + part.points["x"]
        row = part.run.first_row + part.points["row"].astype(int)
        found += zip(row, z, y, x, part.points["feature"], part.points["qv"], strict=True)
        assert (z // TILE_PX[0] == tile // across // down).all()
    return sorted(
        tuple(value.item() for value in p)
        for p in found
        if all(a <= v < b for a, v, b in zip(region.start, p[1:4], region.stop, strict=True))
    )


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("block_px", [(64, 256, 256), (2, 100, 333), (64, 1024, 1024), (70, 1, 1000)])
def test_each_block_reads_its_own(tmp_path, runs, block_px):
    columns = _columns(600)
    bin_points(tmp_path, columns, SHAPE, runs=runs)
    grid = Grid(SHAPE, block_px)
    step = 1 if grid.n_blocks < 100 else 37
    seen = []
    for index in range(0, grid.n_blocks, step):
        write = grid.block(index).write
        inside = np.ones(600, dtype=bool)
        for axis, name in enumerate("zyx"):
            inside &= (columns[name] >= write.start[axis]) & (columns[name] < write.stop[axis])
        found = [point[0] for point in _read(tmp_path, write)]
        assert found == np.flatnonzero(inside).tolist()
        seen += found
    if step == 1:
        assert sorted(seen) == list(range(600))


def test_a_row_keeps_its_values(tmp_path):
    columns = _columns(200)
    bin_points(tmp_path, columns, SHAPE, runs=2)
    names = ("z", "y", "x", "gene", "qv")
    wanted = [(k, *(columns[name][k].item() for name in names)) for k in range(200)]
    assert _read(tmp_path, WHOLE) == wanted


def test_a_block_looks_at_no_other_tiles(tmp_path):
    columns = _columns(2000)
    bin_points(tmp_path, columns, SHAPE)
    region = Region((0, 256, 512), (64, 512, 768))
    inside = (columns["y"] // 256 == 1) & (columns["x"] // 256 == 2) & (columns["z"] < 64)
    assert sum(part.points.size for part in segments(tmp_path, region)) == inside.sum() > 10


def test_no_runs_and_tiles_without_transcripts(tmp_path):
    assert list(segments(tmp_path, WHOLE)) == []
    bin_points(tmp_path, {name: np.array([value]) for name, value in zip("yx", (256, 0), strict=True)}
               | {"gene": np.zeros(1, int)}, (1, 700, 1000))  # fmt: skip
    assert _read(tmp_path, Region((0, 0, 768), (1, 256, 1000))) == []
    assert _read(tmp_path, Region((0, 255, 0), (1, 256, 256))) == []
    assert len(_read(tmp_path, Region((0, 256, 0), (1, 257, 1)))) == 1


def test_a_run_half_written_is_not_read(tmp_path):
    bin_points(tmp_path, _columns(50), SHAPE)
    (tmp_path / "run-00001.partial").write_bytes(b"half")
    assert len(_read(tmp_path, WHOLE)) == 50


@pytest.mark.parametrize("harm", ["short", "long", "empty", "other"])
def test_a_damaged_run_is_told(tmp_path, harm):
    bin_points(tmp_path, _columns(50), SHAPE)
    path = run_paths(tmp_path)[0]
    data = path.read_bytes()
    path.write_bytes(
        {"short": data[:-1], "long": data + b"0", "empty": b"", "other": b"ARROW1".ljust(8) + data[8:]}[harm]
    )
    with pytest.raises(UserError, match="cut short or of another version"):
        list(segments(tmp_path, WHOLE))


def test_rows_beyond_32_bits(tmp_path):
    """The run knows the row that it begins with; its transcripts count from there."""
    points = empty_points(2)
    points[:] = [(2**32 - 1, 3, 1.0, 0, 5, 6), (0, 2, 1.0, 0, 5, 6)]
    save_run(
        tmp_path / "run-00000.bin",
        points,
        np.array([0, 2]),
        lattice=(1, 1),
        first_row=10**12,
        n_rows=2**32,
    )
    run = open_run(tmp_path / "run-00000.bin")
    assert (run.first_row, run.n_rows) == (10**12, 2**32)
    assert [point[0] for point in _read(tmp_path, Region((0, 0, 0), (1, 9, 9)))] == [
        10**12,
        10**12 + 2**32 - 1,
    ]


@pytest.mark.parametrize("n", [0, 1, 500])
def test_sorting_is_stable_and_complete(n):
    random = np.random.default_rng(n)
    points, out = empty_points(n), empty_points(n)
    points["row"] = np.arange(n)
    tile = random.integers(0, 7, n).astype(np.int32)
    starts = np.full(9, 99, dtype=np.int64)
    sort_by_tile(points, tile, starts, out)
    order = np.argsort(tile, kind="stable")
    assert out["row"].tolist() == order.tolist()
    assert starts.tolist() == [0, *np.cumsum(np.bincount(tile, minlength=8)).tolist()]
