"""transcripts.parquet keeps the rows of the input, in its order, with their cells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from binned import bin_points

from isthmus.blocks.grid import Grid
from isthmus.errors import UserError
from isthmus.quantify.counts import count_points
from isthmus.tables.transcripts import Assignment, TranscriptWriter, note_states, with_cells

SHAPE = (1, 300, 520)
IDS = np.array([3, 4, 70_000_000_000], dtype=np.int64)


def _labels():
    """Three cells (numbers 1 to 3 of IDS), two of them in several blocks, with nuclei."""
    cells = np.zeros(SHAPE, dtype=np.int32)
    cells[0, 10:290, 200:400], cells[0, 0:60, 0:60], cells[0, 20:40, 500:] = 1, 2, 3
    nuclei = np.zeros_like(cells)
    nuclei[0, 100:270, 250:300], nuclei[0, :9, :9] = 1, 2
    return cells, nuclei


def _columns(n, seed=0):
    random = np.random.default_rng(seed)
    return {
        "y": random.integers(0, 300, n),
        "x": random.integers(0, 520, n),
        "gene": random.integers(0, 4, n),
    }


def _assignment(folder, columns, *, block_px=(1, 256, 256), runs=1, n_rows=None, backwards=False):
    """What comes of binning, counting block by block, and noting the states."""
    bin_points(folder / "points", columns, SHAPE, runs=runs)
    cells, nuclei = _labels()
    blocks = []
    for index in range(Grid(SHAPE, block_px).n_blocks):
        write = Grid(SHAPE, block_px).block(index).write
        part, core = np.ascontiguousarray(cells[write.slices]), np.ascontiguousarray(nuclei[write.slices])
        numbers = np.unique(part[part > 0])
        place = np.zeros(4, dtype=np.int32)
        place[numbers] = np.arange(1, numbers.size + 1)
        ids = IDS[numbers - 1]
        found = count_points(
            folder / "points", write, place[part], place[core], ids, n_features=4, min_qv=20.0
        )
        blocks.append((write, found))
    note_states(folder / "states", folder / "points", blocks[::-1] if backwards else blocks, IDS)
    n = columns["y"].size if n_rows is None else n_rows
    return Assignment(folder / "states", folder / "points", IDS, n)


def _batches(n, sizes):
    start = 0
    for size in sizes:
        rows = range(start, start + size)
        # Each batch has a dictionary of its own, as readers make them.
        genes = pa.array([f"gene{r % 3 + start % 2}" for r in rows], pa.string()).dictionary_encode()
        yield pa.RecordBatch.from_pydict(
            {"x_um": pa.array([r / 2 for r in rows], pa.float64()), "gene": genes}
        )
        start += size
    assert start == n


def _expected(columns):
    cells, nuclei = _labels()
    place = (0, columns["y"], columns["x"])
    ids = np.concatenate([[0], IDS])[cells[place]]
    return ids, np.where(cells[place] == 0, 0, np.where(nuclei[place] > 0, 1, 2))


@pytest.mark.parametrize("sizes", [[600], [1, 0, 299, 300], [200] * 3])
@pytest.mark.parametrize("options", [{}, {"runs": 4}, {"block_px": (1, 37, 100), "runs": 3}])
def test_every_row_gets_its_cell(tmp_path, sizes, options):
    columns = _columns(600)
    assignment = _assignment(tmp_path, columns, **options)
    found = [rows for _, rows in with_cells(_batches(600, sizes), assignment)]
    ids, compartments = _expected(columns)
    assert np.array_equal(np.concatenate([rows.instance_id for rows in found]), ids)
    assert np.array_equal(np.concatenate([rows.compartment for rows in found]), compartments)
    assert np.concatenate([rows.inside for rows in found]).all()
    assert set(ids) == {0, *IDS}
    assert set(compartments) == {0, 1, 2}


def test_rows_keep_their_order_and_number(tmp_path):
    columns = {"y": np.array([21, 150, 0]), "x": np.array([519, 260, 100]), "gene": np.zeros(3, int)}
    assignment = _assignment(tmp_path, columns, n_rows=10)
    writer = TranscriptWriter(tmp_path / "out" / "transcripts.parquet")
    inside = []
    for batch, rows in with_cells(_batches(10, [3, 0, 6, 1]), assignment):
        writer.write(batch)
        inside += rows.inside.tolist()
    assert not (tmp_path / "out" / "transcripts.parquet").exists()
    writer.finish()
    table = pq.read_table(tmp_path / "out" / "transcripts.parquet")
    assert table.column_names == ["x_um", "gene", "instance_id", "compartment"]
    assert table["x_um"].to_pylist() == [r / 2 for r in range(10)]
    assert table["instance_id"].to_pylist() == [70_000_000_000, 3, *[0] * 8]
    assert table["compartment"].to_pylist() == ["cytoplasm", "nucleus", *["none"] * 8]
    wanted = [name for batch in _batches(10, [3, 0, 6, 1]) for name in batch["gene"].to_pylist()]
    assert table["gene"].to_pylist() == wanted
    assert inside == [True] * 3 + [False] * 7  # beyond what was binned
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["transcripts.parquet"]


def test_the_order_of_blocks_does_not_matter(tmp_path):
    columns = _columns(300)
    one = _assignment(tmp_path / "a", columns, block_px=(1, 100, 100)).take(300)
    other = _assignment(tmp_path / "b", columns, block_px=(1, 100, 100), backwards=True).take(300)
    assert np.array_equal(one.instance_id, other.instance_id)
    assert np.array_equal(one.compartment, other.compartment)


def test_no_rows(tmp_path):
    assignment = _assignment(tmp_path, _columns(0))
    assert assignment.take(0).instance_id.size == 0
    assert [batch.num_rows for batch, _ in with_cells(_batches(0, [0]), assignment)] == [0]


@pytest.mark.parametrize(("sizes", "word"), [([5], "more"), ([3, 1], "more"), ([2], "fewer"), ([], "fewer")])
def test_other_rows_than_were_binned_is_an_error(tmp_path, sizes, word):
    assignment = _assignment(tmp_path, _columns(3))
    with pytest.raises(UserError, match=f"{word} rows than when they were imported"):
        list(with_cells(_batches(sum(sizes), sizes), assignment))


def test_a_record_of_other_transcripts_is_an_error(tmp_path):
    _assignment(tmp_path, _columns(50))
    region = Grid(SHAPE, SHAPE).block(0).write
    record = {"point_code": np.zeros(49, np.uint8), "point_ids": np.empty(0, np.int64)}
    with pytest.raises((ValueError, IndexError)):
        note_states(tmp_path / "other", tmp_path / "points", [(region, record)], IDS)


def test_an_unfinished_file_is_not_there(tmp_path):
    path = tmp_path / "transcripts.parquet"
    path.write_bytes(b"the result of an earlier run")
    writer = TranscriptWriter(path)
    for batch, _ in with_cells(_batches(2, [2]), _assignment(tmp_path / "a", _columns(2))):
        writer.write(batch)
    assert path.read_bytes() == b"the result of an earlier run"
    writer.finish()
    assert pq.read_metadata(path).num_rows == 2


def test_a_table_of_no_rows_has_its_columns(tmp_path):
    writer = TranscriptWriter(tmp_path / "transcripts.parquet")
    for batch, _ in with_cells(_batches(0, [0]), _assignment(tmp_path / "a", _columns(0))):
        writer.write(batch)
    writer.finish()
    table = pq.read_table(tmp_path / "transcripts.parquet")
    assert (table.num_rows, table.column_names) == (0, ["x_um", "gene", "instance_id", "compartment"])


def test_coordinates_stay_as_they_were_given(tmp_path):
    writer = TranscriptWriter(tmp_path / "transcripts.parquet")
    x = np.array([0.1, 1e-30, 3.4e38], dtype=np.float32)
    batch = pa.RecordBatch.from_pydict({"x_um": x, "gene": pa.array(["a"] * 3).dictionary_encode()})
    for made, _ in with_cells([batch], _assignment(tmp_path / "a", _columns(3))):
        writer.write(made)
    writer.finish()
    found = pq.read_table(tmp_path / "transcripts.parquet")["x_um"]
    assert found.type == pa.float32()
    assert np.array_equal(found.to_numpy(), x)
